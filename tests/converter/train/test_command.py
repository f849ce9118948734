"""A training keeps what it promises in its folder, and one that was killed ends as one that was not.

The runs are of the real networks on some dozens of real faces, in processes of their own, on the backend that
KERAS_BACKEND names.
"""

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

keras = pytest.importorskip("keras")

from converter.data.faces import Faces  # noqa: E402
from converter.train import architectures as networks  # noqa: E402  only where Keras is
from converter.train.config import TrainConfig  # noqa: E402
from converter.train.trainer import Run, RunFiles  # noqa: E402
from converter.train.weights import load_tflite_weights  # noqa: E402
from fer_edge.vision.model_card import load_card  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[3]
SHIPS = REPOSITORY / "fer_edge/models/fer-nano.tflite"
SMALL = ("--network", "nano", "--batch", "20", "--seed", "5")  # 140 training faces: 7 steps an epoch
# A process that kills itself when it is about to put a file in its place for the first time after epoch 1, whose last
# file is recipe.json: however fast the machine, it is in epoch 2.
DIES_IN_EPOCH_2 = """
import os, signal, sys
def look(event, arguments, ended=[]):
    if event == "os.rename":
        if ended:
            os.kill(os.getpid(), signal.SIGKILL)
        if str(arguments[1]).endswith("recipe.json"):
            ended.append(1)
sys.addaudithook(look)
"""

pytestmark = pytest.mark.data


def rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def run(fer2013_csv: Path, convert, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Four epochs without interruption: the folder, and the standard output."""
    folder = tmp_path_factory.mktemp("run") / "nano"
    ended = convert("train", "--data", fer2013_csv, "-o", folder, *SMALL, "--epochs", 4)
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout


def test_a_run_leaves_its_files_and_nothing_half_written(run: tuple[Path, str]) -> None:
    assert sorted(path.name for path in run[0].iterdir()) == [
        "curves.png",
        "history.csv",
        "nano.json",
        "nano.keras",
        "nano.weights.h5",
        "recipe.json",
        "resume.npz",
    ]


def test_a_run_reports_its_counts_and_a_plain_line_per_epoch(run: tuple[Path, str]) -> None:
    said = run[1].splitlines()
    assert said[0].endswith("Training 140 (the complete set has 28,709), PublicTest 350 (the complete set has 3,589)")
    assert said[1] == "training on 140 faces, validating on 350"
    assert [line.split("  ")[0] for line in said[2:6]] == ["epoch 1/4", "epoch 2/4", "epoch 3/4", "epoch 4/4"]
    assert said[6].startswith("best validation accuracy ")


def test_history_has_a_row_an_epoch_and_the_rate_ends_at_zero(run: tuple[Path, str]) -> None:
    history = rows(run[0])
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    # Two epochs up to 0.002, two epochs down along half a cosine.
    assert [row["rate"] for row in history] == pytest.approx([0.001, 0.002, 0.001, 0.0], abs=1e-6)


def test_what_is_kept_is_the_best_epoch_by_validation_accuracy(run: tuple[Path, str], slice_of_fer2013) -> None:
    faces = slice_of_fer2013.split("PublicTest")
    network = keras.models.load_model(run[0] / "nano.keras")
    said = network.predict(((faces.images - 127.5) / 127.5)[..., np.newaxis], verbose=0)
    best = max(row["val_accuracy"] for row in rows(run[0]))
    assert (said.argmax(axis=1) == faces.labels).mean() == pytest.approx(best, abs=2e-3)  # one face of 350
    assert said.sum(axis=1) == pytest.approx(np.ones(350), abs=1e-5)


def test_architecture_and_weights_beside_it_are_the_same_network(run: tuple[Path, str]) -> None:
    whole = keras.models.load_model(run[0] / "nano.keras")
    parts = keras.models.model_from_json((run[0] / "nano.json").read_text())
    with h5py.File(run[0] / "nano.weights.h5") as file:
        assert len(file) > 0
    parts.load_weights(run[0] / "nano.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True))


def test_recipe_json_holds_settings_data_versions_and_result(run: tuple[Path, str]) -> None:
    config = json.loads((run[0] / "recipe.json").read_text())
    assert config["recipe"]["seed"] == 5
    assert config["recipe"]["augment"]["rotate_deg"] == 10.0
    assert config["data"]["training"] == {"faces": 140} | dict.fromkeys(
        ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"), 20
    )
    assert config["data"]["validation"]["faces"] == 350
    assert config["data"]["validation_is"] == "PublicTest"
    assert config["backend"] == os.environ.get("KERAS_BACKEND", "tensorflow")
    assert config["versions"]["keras"] == keras.__version__
    assert config["result"]["epochs_done"] == 4
    assert config["result"]["finished"] is True


def test_the_curves_are_a_picture(run: tuple[Path, str]) -> None:
    picture = cv2.imread(str(run[0] / "curves.png"), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.std() > 5


def test_a_run_that_is_killed_and_resumed_ends_as_one_that_was_not(
    run: tuple[Path, str], fer2013_csv: Path, convert, tmp_path: Path
) -> None:
    arguments = ["train", "--data", str(fer2013_csv), "-o", str(tmp_path / "nano"), *SMALL, "--epochs", "4"]
    code = f"{DIES_IN_EPOCH_2}\nfrom converter.cli import main\nmain({arguments!r})"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert list((tmp_path / "nano").glob(".part-*")), "it was killed while it wrote"
    assert len(rows(tmp_path / "nano")) == 1
    ended = convert(*arguments)
    assert ended.returncode == 0, ended.stderr
    assert "resuming after epoch 1 of 4" in ended.stdout
    for straight, resumed in zip(rows(run[0]), rows(tmp_path / "nano"), strict=True):
        assert resumed["rate"] == straight["rate"]
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert resumed[name] == pytest.approx(straight[name], rel=0.02), "threads add up in another order, no more"


def test_a_finished_run_has_nothing_to_add(run: tuple[Path, str], fer2013_csv: Path, convert) -> None:
    before = [(run[0] / name).read_bytes() for name in ("nano.keras", "recipe.json", "curves.png")]
    ended = convert("train", "--data", fer2013_csv, "-o", run[0], *SMALL, "--epochs", 4)
    assert ended.returncode == 0, ended.stderr
    assert "resuming after epoch 4 of 4" in ended.stdout
    assert [(run[0] / name).read_bytes() for name in ("nano.keras", "recipe.json", "curves.png")] == before
    assert len(rows(run[0])) == 4


def test_what_the_end_of_the_last_epoch_left_undone_is_done_by_the_same_command(
    run: tuple[Path, str], fer2013_csv: Path, convert, tmp_path: Path
) -> None:
    # As it is between resume.npz and recipe.json, which are written in this order.
    folder = Path(shutil.copytree(run[0], tmp_path / "nano"))
    (folder / "curves.png").unlink()
    provenance = json.loads((folder / "recipe.json").read_text())
    older = provenance | {"result": provenance["result"] | {"epochs_done": 3, "finished": False}}
    (folder / "recipe.json").write_text(json.dumps(older))
    ended = convert("train", "--data", fer2013_csv, "-o", folder, *SMALL, "--epochs", 4)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((folder / "recipe.json").read_text())["result"] == provenance["result"]
    assert cv2.imread(str(folder / "curves.png")).std() > 5


def test_a_folder_of_another_recipe_is_refused_in_one_line(run: tuple[Path, str], fer2013_csv: Path, convert) -> None:
    ended = convert("train", "--data", fer2013_csv, "-o", run[0], *SMALL, "--epochs", 9, "--rate", "0.5")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"fer-convert: {run[0]}: holds a run with another epochs, rate; "
        "repeat its settings to resume it, or choose another folder"
    )


def test_a_run_on_other_faces_is_not_resumed(run: tuple[Path, str], fer2013_csv: Path, convert) -> None:
    ended = convert("train", "--data", fer2013_csv, "-o", run[0], *SMALL, "--epochs", 4, "--limit", 100)
    assert ended.returncode == 1
    assert "holds a run on other faces" in ended.stderr


def test_a_torn_checkpoint_is_one_line(run: tuple[Path, str], fer2013_csv: Path, convert, tmp_path: Path) -> None:
    whole = (run[0] / "resume.npz").read_bytes()
    (tmp_path / "resume.npz").write_bytes(whole[: len(whole) // 2])
    ended = convert("train", "--data", fer2013_csv, "-o", tmp_path, *SMALL, "--epochs", 4)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"fer-convert: {tmp_path}/resume.npz: not a checkpoint")


def test_patience_ends_a_run_that_gets_no_better(fer2013_csv: Path, convert, tmp_path: Path) -> None:
    # A rate of almost nothing: no epoch can be better than the first.
    still = ("--rate", "1e-9", "--decay", "0", "--averaged", "0", "--warmup", "0", "--patience", "2")
    ended = convert("train", "--data", fer2013_csv, "-o", tmp_path / "nano", *SMALL, "--epochs", 50, *still)
    assert ended.returncode == 0, ended.stderr
    history = rows(tmp_path / "nano")
    best = max(range(len(history)), key=lambda index: history[index]["val_accuracy"])
    assert len(history) == best + 1 + 2
    assert len(history) < 50


def test_without_publictest_a_tenth_is_held_out_and_reported(slice_of_fer2013, convert, tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("emotion", "pixels"))
        faces = slice_of_fer2013.split("Training")
        writer.writerows(
            (label, " ".join(map(str, image.ravel()))) for image, label in zip(faces.images, faces.labels, strict=True)
        )
    ended = convert("train", "--data", path, "-o", tmp_path / "nano", *SMALL, "--epochs", 1)
    assert ended.returncode == 0, ended.stderr
    assert "training on 126 faces, validating on 14 held out of Training, as there is no PublicTest" in ended.stdout
    config = json.loads((tmp_path / "nano/recipe.json").read_text())
    assert config["data"]["validation_is"] == "held out of Training"
    assert config["data"]["validation"]["disgust"] == 2

    # They are found again for what comes after the training, and for no other data.
    made, file = tmp_path / "nano/nano.keras", tmp_path / "nano.tflite"
    fed = ("--labels", "fer2013", "--range=-1,1")
    ended = convert("quantize", made, "-o", file, "--data", path, *fed)
    assert ended.returncode == 0, ended.stderr
    assert "held out of Training, 14 faces: top-1" in ended.stdout
    assert list(load_card(file).scores) == ["held out of Training"]
    ended = convert("evaluate", file, "--data", path)
    assert ended.returncode == 0, ended.stderr
    assert "held out of Training, 14 faces" in ended.stdout
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    for command in (("quantize", made, "-o", file, *fed), ("evaluate", file)):
        ended = convert(*command, "--data", path)
        assert ended.returncode == 1
        assert ended.stderr == (
            f"fer-convert: {path}: holds other faces than the network was trained on, so which of them it has seen is "
            "unknown; give the data of its training, or data with a Usage column that names some, or with a `test` "
            "folder beside `train`\n"
        )


def test_a_run_can_begin_with_the_weights_of_another(
    run: tuple[Path, str], fer2013_csv: Path, convert, tmp_path
) -> None:
    # A rate of almost nothing: what comes out is what went in, statistics of BatchNorm included.
    still = ("--rate", "1e-9", "--decay", "0", "--averaged", "0", "--epochs", "1", "--start", run[0] / "nano.keras")
    ended = convert("train", "--data", fer2013_csv, "-o", tmp_path / "more", *SMALL, *still)
    assert ended.returncode == 0, ended.stderr
    before, after = (keras.models.load_model(path / "nano.keras") for path in (run[0], tmp_path / "more"))
    for old, new in zip(before.trainable_weights, after.trainable_weights, strict=True):
        assert np.allclose(old, new, atol=1e-6)
    assert json.loads((tmp_path / "more/recipe.json").read_text())["start"] == "nano.keras"


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")  # TensorFlow's, of NumPy 2
def test_a_run_that_goes_on_from_another_meets_other_noise(
    run: tuple[Path, str], slice_of_fer2013: Faces, tmp_path: Path
) -> None:
    parts = [slice_of_fer2013.split(usage) for usage in ("Training", "PublicTest")]
    start = run[0] / "nano.keras"
    fresh = Run(TrainConfig(batch=20, seed=5), *parts, RunFiles(tmp_path / "fresh"))
    on = Run(
        TrainConfig(batch=20, seed=5, start=hashlib.sha256(start.read_bytes()).hexdigest()),
        *parts,
        RunFiles(tmp_path / "on", start),
    )
    assert fresh.epochs.order(0).tolist() != on.epochs.order(0).tolist()
    masks = [
        [
            keras.ops.convert_to_numpy(layer.seed_generator.state).tolist()
            for layer in one._network.layers
            if isinstance(layer, keras.layers.Dropout)
        ]
        for one in (fresh, on)
    ]
    assert masks[0], "there is a dropout"
    assert masks[0] != masks[1]


def test_a_run_can_begin_with_a_file_that_ships_and_learn_from_it(fer2013_csv: Path, convert, tmp_path: Path) -> None:
    still = ("--rate", "1e-9", "--decay", "0", "--averaged", "0", "--epochs", "1", "--start", SHIPS, "--teacher", SHIPS)
    ended = convert("train", "--data", fer2013_csv, "-o", tmp_path / "more", *SMALL, *still)
    assert ended.returncode == 0, ended.stderr
    assert rows(tmp_path / "more")[0]["val_accuracy"] > 0.5  # 350 faces, as many of each class; 1/7 knows nothing
    config = json.loads((tmp_path / "more/recipe.json").read_text())
    assert (config["start"], config["teachers"]) == ("fer-nano.tflite", ["fer-nano.tflite"])


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")  # TensorFlow's variables
def test_a_network_learns_from_another_and_resumes_with_no_other_teacher(
    fer2013_csv: Path, convert, tmp_path: Path
) -> None:
    network = networks.build("nano")
    load_tflite_weights(network, SHIPS, np.zeros((1, 48, 48, 1), np.float32))
    network.save(tmp_path / "teacher.keras")
    taught = ("train", "--data", fer2013_csv, "-o", tmp_path / "taught", *SMALL, "--epochs", 1)
    ended = convert(*taught, "--teacher", tmp_path / "teacher.keras", "--taught-share", 0.9)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((tmp_path / "taught" / "recipe.json").read_text())["teachers"] == ["teacher.keras"]
    ended = convert(*taught, "--taught-share", 0.9)
    assert ended.returncode == 1
    assert "holds a run with another teachers" in ended.stderr


def test_a_teacher_that_is_none_is_refused_in_one_line(fer2013_csv: Path, convert, tmp_path: Path) -> None:
    (tmp_path / "none.keras").write_bytes(b"no zip")
    command = ("train", "--data", fer2013_csv, "-o", tmp_path / "run", *SMALL, "--epochs", 1)
    ended = convert(*command, "--teacher", tmp_path / "none.keras")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1), ended.stderr
    assert "none.keras: is no Keras network" in ended.stderr
    assert not (tmp_path / "run" / "history.csv").exists()


def test_a_teacher_without_a_card_is_refused_in_one_line(fer2013_csv: Path, convert, tmp_path: Path) -> None:
    shutil.copy(SHIPS, tmp_path / "lone.tflite")
    command = ("train", "--data", fer2013_csv, "-o", tmp_path / "run", *SMALL, "--epochs", 1)
    ended = convert(*command, "--teacher", tmp_path / "lone.tflite")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1), ended.stderr
    assert "lone.json" in ended.stderr


def test_weights_of_another_network_are_refused_in_one_line(
    run: tuple[Path, str], fer2013_csv: Path, convert, tmp_path: Path
) -> None:
    start = run[0] / "nano.weights.h5"
    ended = convert("train", "--data", fer2013_csv, "-o", tmp_path / "s", "--network", "small", "--start", start)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"fer-convert: {start}: holds no weights that fit small"


def test_weights_that_are_cut_are_one_line(run: tuple[Path, str], fer2013_csv: Path, convert, tmp_path: Path) -> None:
    start = tmp_path / "cut.keras"
    start.write_bytes((run[0] / "nano.keras").read_bytes()[:-2000])
    ended = convert("train", "--data", fer2013_csv, "-o", tmp_path / "more", *SMALL, "--start", start)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"fer-convert: {start}: is a damaged or truncated .keras file; copy it again")
    assert ended.stderr.count("\n") == 1


def test_a_run_whose_loss_is_no_number_ends_in_one_line_and_keeps_nothing_of_it(
    fer2013_csv: Path, convert, tmp_path: Path
) -> None:
    wild = ("--optimizer", "sgd", "--rate", "1e30", "--warmup", "0", "--epochs", "3")
    ended = convert("train", "--data", fer2013_csv, "-o", tmp_path / "nano", *SMALL, *wild)
    assert ended.returncode == 1
    assert ended.stderr == "fer-convert: epoch 1: the loss is nan; begin again in another folder, with a lower rate\n"
    assert not (tmp_path / "nano").exists()


def test_a_rate_that_is_no_number_is_one_line(fer2013_csv: Path, convert, tmp_path: Path) -> None:
    ended = convert("train", "--data", fer2013_csv, "-o", tmp_path / "nano", *SMALL, "--rate", "nan")
    assert (ended.returncode, ended.stderr) == (1, "fer-convert: rate must be a number, got nan\n")


@pytest.mark.parametrize("name", ["train", "train-detector"])
def test_a_folder_that_cannot_be_written_is_refused_before_keras_is_loaded(convert, name: str) -> None:
    before = "import sys; sys.modules['keras'] = sys.modules['tensorflow'] = None"
    given = ("--photos", __file__, "/dev") if name == "train-detector" else ("--data", __file__)
    ended = convert(name, *given, "-o", "/dev/null/run", before=before)
    assert (ended.returncode, ended.stderr) == (1, "fer-convert: /dev/null/run: cannot be written: not a directory\n")


def test_the_example_of_the_page_trains_as_the_command_does(
    run: tuple[Path, str], fer2013_csv: Path, tmp_path: Path
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs/training.md").read_text(), re.DOTALL)
    (code,) = (block for block in blocks if "Run(" in block)
    here = {"fer2013.csv": str(fer2013_csv), "runs/nano": str(tmp_path / "nano"), "epochs=60": "epochs=1"}
    for ours, test in here.items():
        assert ours in code
        code = code.replace(ours, test)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Row(epoch=1, " in ended.stdout
    written = {path.name for path in (tmp_path / "nano").iterdir()}
    assert written == {path.name for path in run[0].iterdir()} - {"curves.png", "recipe.json"}  # the command's own


def test_an_unknown_backend_is_one_line(fer2013_csv: Path, convert, tmp_path: Path) -> None:
    before = "import os; os.environ['KERAS_BACKEND'] = 'theano'"
    ended = convert("train", "--data", fer2013_csv, "-o", tmp_path / "nano", *SMALL, before=before)
    assert ended.returncode == 1
    assert ended.stderr == "fer-convert: KERAS_BACKEND is 'theano'; choose one of tensorflow, jax, torch\n"
    assert not (tmp_path / "nano").exists()


def test_the_help_names_the_networks_and_needs_no_keras(convert) -> None:
    before = "import sys; sys.modules['keras'] = sys.modules['tensorflow'] = None"
    ended = convert("train", "--help", before=before)
    assert ended.returncode == 0, ended.stderr
    for word in ("classic", "small", "nano", "KERAS_BACKEND", "--patience"):
        assert word in ended.stdout
