from fer_edge.mqtt.topics import Topics, client_id


def test_topics_are_prefix_device_and_name():
    topics = Topics("home/cams", "porch")
    assert topics.availability == "home/cams/porch/availability"
    assert [topics.event, topics.state, topics.health, topics.info] == [
        f"home/cams/porch/{name}" for name in ("event", "state", "health", "info")
    ]


def test_slash_at_the_end_of_the_prefix_makes_no_empty_level():
    assert Topics("home/", "porch").event == "home/porch/event"


def test_client_id_is_the_same_at_every_start_and_holds_no_slash():
    assert client_id("home/cams", "porch") == "home-cams-porch"


def test_long_client_ids_fit_and_stay_apart():
    one, other = (client_id("fer_edge", "x" * 80 + end) for end in "ab")
    assert len(one) == len(other) == 64
    assert one != other
    assert one.startswith("fer_edge-xxx")
    assert client_id("fer_edge", "x" * 55) == "fer_edge-" + "x" * 55  # 64: just fits


def test_long_client_id_is_not_cut_within_a_character():
    name = client_id("fer_edge", "ü" * 60)
    assert len(name.encode()) <= 64
    assert name[:-9].endswith("ü")
