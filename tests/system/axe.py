"""axe-core in a page: what hinders people with disabilities.

Only its script is taken from the package, which is the one on PyPI that keeps up with axe-core; its own calls are for
another driver than ours.
"""

from importlib import resources

from tests.system.browser import Browser

SERIOUS = ("serious", "critical")
RUN = "const done = arguments[0]; axe.run().then(done, (error) => done({ error: String(error) }));"
LEAST_VERSION = (4, 12)
ANSWER_S = 60.0


def faults(browser: Browser) -> list[str]:
    """Serious violations that axe-core finds in the page: rule and element."""
    driver = browser.driver
    driver.set_script_timeout(ANSWER_S)
    driver.execute_script(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    report = driver.execute_async_script(RUN)
    version = report["testEngine"]["version"]
    assert tuple(int(part) for part in version.split(".")[:2]) >= LEAST_VERSION
    assert report["passes"], "axe-core judged nothing"
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in report["violations"] if one["impact"] in SERIOUS]
