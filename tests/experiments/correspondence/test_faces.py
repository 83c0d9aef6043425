"""Faces and the squares over their parts: places worked out by hand, drawn truth, and refusals."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zfutils.data import photos
from zfutils.data.inputs import Inputs
from zfutils.data.parts import PartsImages
from zfutils.data.pixels import Pixels
from zfutils.experiments.correspondence import drawn_faces, faces, occluders, tables
from zfutils.runtime.folders import data_folder

DATA = Path(__file__).parents[3] / "book" / "data"
HEADER = "file," + ",".join(faces.POINTS + faces.BOX)


def rendered(n, **moved):
    """Faces of 64 px, with other bounds on how far they are moved."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in moved.items():
            patch.setattr(drawn_faces, name, value)
        return drawn_faces.rendered_faces(PartsImages("probe", n=300, size=64), n=n, side=64)


STILL = {"SHIFT": 0.0, "SCALE": (1.0, 1.0), "ROTATION": 0.0}


@pytest.fixture(scope="module")
def drawn():
    return rendered(4, **STILL)


@pytest.fixture(scope="module")
def jittered():
    return rendered(24)


def three_points(side=64):
    """Two faces, their parts at places told here."""
    points = np.array([[[16.0, 20], [48, 20], [32, 44]], [[18, 22], [46, 22], [32, 42]]])
    images = np.zeros((2, side, side, 3), np.uint8)
    masks = np.ones((2, side, side), bool)
    return faces.Faces(images, points, masks, np.ones(2), ("dog", "cat"), ("a", "b"))


# ---- frames


def test_a_frame_about_a_square_box_is_filled_by_the_wanted_share():
    frame = faces.filled_frame((0.3, 0.4, 0.7, 0.8))
    assert frame.side == pytest.approx(0.4 / np.sqrt(0.8))
    assert faces.filled_share((0.3, 0.4, 0.7, 0.8), frame) == pytest.approx(0.8)
    assert frame.left + frame.side / 2 == pytest.approx(0.5)
    assert frame.top + frame.side / 2 == pytest.approx(0.6)


def test_a_long_box_is_cut_so_that_its_width_fills_the_share():
    frame = faces.filled_frame((0.4, 0.1, 0.6, 0.9))  # 0.2 wide: a frame of 0.25, cut from its height
    assert frame.side == pytest.approx(0.25)
    assert faces.filled_share((0.4, 0.1, 0.6, 0.9), frame) == pytest.approx(0.8)


def test_a_frame_stays_in_the_picture_and_is_filled_all_the_more():
    corner = faces.filled_frame((0.0, 0.0, 0.5, 0.5))
    assert corner[:2] == (0, 0)
    whole = faces.filled_frame((0.0, 0.05, 1.0, 0.95))
    assert whole == (0, 0, 1)
    assert faces.filled_share((0.0, 0.05, 1.0, 0.95), whole) == pytest.approx(0.9)


@pytest.mark.parametrize("box", [(0.5, 0.2, 0.5, 0.9), (0.6, 0.2, 0.5, 0.9)])
def test_a_box_without_an_inside_is_refused(box):
    with pytest.raises(ValueError, match="box with an inside"):
        faces.filled_frame(box)


# ---- drawn faces


def test_drawn_faces_are_upright_in_the_middle_and_fill_the_frame(drawn):
    assert drawn.images.shape == (4, 64, 64, 3)
    assert drawn.kinds == ("cat", "dog", "rabbit", "bear")
    np.testing.assert_allclose(drawn.filled, 0.8, atol=0.05)  # of whole pixels
    right, left, nose = drawn.points.transpose(1, 0, 2)
    assert (right[:, 0] < 30).all()  # the animal's own right, at the left of the picture
    assert (left[:, 0] > 34).all()
    assert (nose[:, 1] > right[:, 1] + 8).all()
    assert np.abs(right[:, 1] - left[:, 1]).max() < 64 * 0.06  # upright
    assert np.abs(drawn.points.mean(1)[:, 0] - 32).max() < 64 * 0.06


def test_the_points_of_a_drawn_face_lie_on_its_eyes_and_nose():
    """Where the part is drawn in one flat colour, found again in the frame's own pixels."""
    source = PartsImages("probe", n=4, size=64)
    found = drawn_faces.rendered_faces(source, n=4, side=128)
    for i in range(4):
        scene = source.scene(i)
        scale = np.hypot(*(found.points[i, 0] - found.points[i, 1])) / 128
        places = {p.name: p.key_point for p in scene.objects[0].parts}
        apart = np.hypot(*np.subtract(scene.objects[0].place(places["left eye"]),
                                      scene.objects[0].place(places["right eye"])))  # fmt: skip
        grown = scale / apart
        nose = np.hypot(*np.subtract(scene.objects[0].place(places["left eye"]),
                                     scene.objects[0].place(places["nose"])))  # fmt: skip
        assert np.hypot(*(found.points[i, 0] - found.points[i, 2])) / 128 == pytest.approx(
            grown * nose, rel=0.05
        )


def similarity(points, moved):
    """Scale and turn (degrees) that take three points to three others, and what is left over (pixels)."""
    (a, b) = ((at[:, 0] + 1j * at[:, 1]) for at in (points - points.mean(0), moved - moved.mean(0)))
    factor = np.vdot(a, b) / np.vdot(a, a)
    return abs(factor), np.degrees(np.angle(factor)), np.abs(b - factor * a).max()


def test_no_two_drawn_faces_stand_alike_and_their_points_and_masks_move_along(jittered):
    """Against the same faces left upright: the points differ by a shift, a scale and a turn within bounds."""
    still = rendered(24, **STILL)
    found = [similarity(*both) for both in zip(still.points, jittered.points, strict=True)]
    scales, turns, left_over = np.array(found).T
    assert left_over.max() < 1e-6
    assert scales.min() >= drawn_faces.SCALE[0]
    assert scales.max() <= drawn_faces.SCALE[1]
    assert np.abs(turns).max() <= drawn_faces.ROTATION
    shifts = (jittered.points - still.points).mean(1)
    assert min(scales.std() / 0.3, turns.std() / 40, shifts.std() / 12.8) > 0.15  # and are not all alike
    assert (jittered.images != still.images).any((1, 2, 3)).all()
    areas = jittered.masks.sum((1, 2)) / still.masks.sum((1, 2))
    inside = ~jittered.masks[:, [0, -1]].any((1, 2)) & ~jittered.masks[:, :, [0, -1]].any((1, 2))
    np.testing.assert_allclose(areas[inside], scales[inside] ** 2, rtol=0.05)


def test_eyes_and_nose_lie_on_the_mask_of_a_face_and_ears_do_not(jittered):
    columns, rows = jittered.points.astype(int).transpose(2, 0, 1)
    assert jittered.masks[np.arange(24)[:, None], rows, columns].all()
    source = PartsImages("probe", n=300, size=64)
    scene = drawn_faces._filling(source.scene(0).uncovered())
    masks = scene.probe(64).part_masks
    ears = np.any([mask for name, mask in masks.items() if name.endswith("ear")], axis=0)
    assert ears.any()
    assert not (ears & drawn_faces._face(masks)).any()


def test_every_square_over_a_part_lies_in_the_frame_however_faces_are_moved():
    assert len(occluders.over_faces(rendered(24, SHIFT=0.3), places=1).names) == 4


def test_a_face_does_not_depend_on_how_many_there_are(jittered):
    few = drawn_faces.rendered_faces(PartsImages("probe", n=20, size=64), n=4, side=64)
    np.testing.assert_array_equal(few.images, jittered.images[:4])


def test_faces_in_turn_go_round_the_kinds():
    found = faces.Faces(
        np.zeros((5, 8, 8, 3), np.uint8),
        np.zeros((5, 3, 2)),
        np.ones((5, 8, 8), bool),
        np.ones(5),
        tuple("aaabb"),
        tuple("01234"),
    )
    assert found.in_turn(4).names == ("0", "3", "1", "4")
    assert found.in_turn(4).kinds == ("a", "b", "a", "b")


# ---- marked photographs


def row(name="s/val/n02086240/x.JPEG", values=(0.4, 0.4, 0.6, 0.4, 0.5, 0.6, 0.25, 0.25, 0.75, 0.75)):
    return name + "," + ",".join(map(str, values))


def marked(tmp_path, *rows, header=HEADER):
    path = tmp_path / "faces.csv"
    path.write_text("\n".join(("# remark", header, *rows)) + "\n")
    return path


def test_marks_are_read_with_their_remarks_left_out(tmp_path):
    table = faces.read_annotations(marked(tmp_path, row()))
    assert list(table) == HEADER.split(",")
    assert table.loc[0, "nose_y"] == 0.6


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(values=(0.4, 0.4, 0.6, 0.4, "", "", 0.2, 0.2, 0.8, 0.8))], "x.JPEG has no nose_x"),
        ([row(values=(0.4, 0.4, 1.6, 0.4, 0.5, 0.6, 0.2, 0.2, 0.8, 0.8))], "outside 0…1 in left_eye_x"),
        ([row(values=(0.6, 0.4, 0.4, 0.4, 0.5, 0.6, 0.2, 0.2, 0.8, 0.8))], "right and left exchanged"),
        ([row(), row()], "x.JPEG is there twice"),
    ],
)
def test_a_wrong_mark_is_refused_with_its_file(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        faces.read_annotations(marked(tmp_path, *rows))


def test_a_missing_column_is_named(tmp_path):
    path = marked(tmp_path, "x,1", header="file,nose_x")
    with pytest.raises(ValueError, match=r"faces\.csv has no column right_eye_x"):
        faces.read_annotations(path)


def test_a_photograph_is_cut_so_that_its_points_stay_on_what_they_mark(tmp_path):
    """A red, a green and a blue spot in a grey picture, marked; the frame shows them under its points."""
    picture = np.full((200, 100, 3), 90, np.uint8)  # twice as high as wide: squashed
    where, colours = {"right": (40, 80), "left": (60, 80), "nose": (50, 120)}, np.eye(3) * 255
    for (x, y), colour in zip(where.values(), colours, strict=True):
        picture[y - 6 : y + 6, x - 3 : x + 3] = colour
    name = "s/val/n02086240/x.png"
    (tmp_path / name).parent.mkdir(parents=True)
    Image.fromarray(picture).save(tmp_path / name)
    table = faces.read_annotations(marked(tmp_path, row(name)))
    found = faces.photographed_faces(table, tmp_path, side=96, size=160)
    assert found.kinds == ("Shih-Tzu",)
    assert found.filled[0] == pytest.approx(0.8)
    for (x, y), colour in zip(found.points[0], colours, strict=True):
        np.testing.assert_allclose(found.images[0, round(y), round(x)], colour, atol=40)
    side = 0.5 / np.sqrt(0.8)
    # the ellipse in a square box of 0.5 sides, in a frame of 0.559: its area is π/4 of 0.8
    assert found.masks[0].mean() == pytest.approx(0.8 * np.pi / 4, abs=0.01)
    np.testing.assert_allclose(found.points[0, 0], 96 * (np.array([0.4, 0.4]) - 0.5 + side / 2) / side)


def test_photographs_that_are_not_there_are_counted_and_the_first_named(tmp_path):
    table = faces.read_annotations(marked(tmp_path, row("s/a.JPEG"), row("s/b.JPEG")))
    with pytest.raises(FileNotFoundError, match=r"2 of 2 faces are not below .*: s/a\.JPEG"):
        faces.photographed_faces(table, tmp_path, side=96)


def test_marks_apart_by_3_and_4_pixels_are_5_pixels_apart(tmp_path):
    first = faces.read_annotations(marked(tmp_path, row(), row("other")))
    second = first[:1].assign(nose_x=first["nose_x"] + 3 / 160, nose_y=first["nose_y"] - 4 / 160)
    found = faces.annotation_differences(first, second, size=160)
    assert list(found["part"]) == list(faces.PARTS)
    np.testing.assert_allclose(found["pixels"], [0, 0, 5], atol=1e-9)


def test_the_marked_dogs_are_enough_and_of_the_validation_splits():
    table = faces.read_annotations(DATA / "dog_faces.csv")
    sets = {tuple(name.split("/")[:2]) for name in table["file"]}
    assert len(table) >= 30
    assert sets == {("imagenette2-160", "val"), ("imagewoof2-160", "val")}
    nette = table["file"].str.startswith("imagenette")
    assert table["file"][nette].str.contains("/n02102040/").all()
    for axis, (low, high) in {"x": ("left", "right"), "y": ("top", "bottom")}.items():
        for part in ("right_eye", "left_eye", "nose"):
            inside = table[f"{part}_{axis}"].between(table[f"face_{low}"], table[f"face_{high}"])
            assert inside.all(), table["file"][~inside].tolist()


def test_every_marked_dog_has_room_for_random_places_on_its_face(tmp_path):
    """With blank pictures in place of the photographs, of which the marks alone matter here."""
    table = faces.read_annotations(DATA / "dog_faces.csv")
    for name in table["file"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    squares = occluders.over_faces(faces.photographed_faces(table, tmp_path, side=128), places=100)
    assert squares.corners.shape == (3 + 100, len(table), 2)


def test_ten_dogs_were_marked_twice_within_a_quarter_of_a_square():
    first = faces.read_annotations(DATA / "dog_faces.csv")
    again = faces.read_annotations(DATA / "dog_faces_again.csv", boxes=False)
    apart = faces.annotation_differences(first, again, size=160)
    assert len(apart) == 30
    assert (apart["pixels"] > 0).mean() > 0.9  # marked again, not copied
    assert apart["pixels"].max() < 160 * occluders.SQUARE / 4
    table = tables.annotation_table(apart, square=160 * occluders.SQUARE)
    assert table["count"].tolist() == [10] * 3
    nose = apart["pixels"][apart["part"] == "nose"].mean() / (160 * occluders.SQUARE)
    assert table["in sides of a square"].iloc[2] == f"{nose:.2f}"


@pytest.mark.data
def test_the_marked_dogs_are_there_and_none_also_stands_under_another_class():
    root = data_folder()
    if not (root / "imagewoof2-160").is_dir():
        pytest.skip(f"no photographs below {root}")
    table = faces.read_annotations(DATA / "dog_faces.csv")
    found = faces.photographed_faces(table, root, side=128)
    squares = occluders.over_faces(found)
    assert found.images.shape == (len(table), 128, 128, 3)
    assert found.filled.min() >= 0.8 - 1e-9
    assert len(squares.named(occluders.PLACE)) == 24
    assert found.images.std((1, 2, 3)).min() > 10
    left_out = photos.folders(["imagenette2-160", "imagewoof2-160"], "val", size=160).left_out
    assert not set(table["file"]) & set(left_out)


# ---- squares


def test_squares_have_one_area_and_random_ones_touch_no_parts_square(drawn):
    squares = occluders.over_faces(drawn, places=10)
    masks = squares.masks()
    assert squares.names == (*faces.PARTS, *[occluders.PLACE] * 10)
    assert masks.shape == (13, 4, 64, 64)
    assert set(masks.sum((2, 3)).ravel()) == {14**2}
    assert not (masks[3:] & masks[:3].any(0)).any()


def test_a_parts_square_is_about_its_point():
    squares = occluders.over_faces(three_points(), places=1)  # of 14 px
    np.testing.assert_array_equal(squares.corners[0], [[13, 9], [15, 11]])  # row and column of the corner
    rows, columns = np.nonzero(squares.masks()[2, 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (37, 50, 25, 38)


def test_random_squares_lie_on_the_face_with_three_quarters_of_their_area(jittered):
    squares = occluders.over_faces(jittered, places=10)
    random = squares.masks()[3:]
    on_face = (random & jittered.masks).sum((2, 3)) / 14**2
    assert 0.75 <= on_face.min() < 0.95  # and is asked of the square, not of its middle


def test_a_place_that_lies_off_the_face_or_touches_a_part_is_never_drawn():
    """A face of the upper 40 rows: all corners that are left, counted one by one."""
    found = three_points()
    found.masks[:, 40:] = False
    free = [[], []]
    for face, (top, left) in product(range(2), product(range(51), repeat=2)):
        own = np.zeros((64, 64), bool)
        own[top : top + 14, left : left + 14] = True
        parts = np.rint(found.points[face, :, ::-1] - 7).astype(int)
        apart = all(abs(row - top) >= 14 or abs(column - left) >= 14 for row, column in parts)
        if apart and (own & found.masks[face]).sum() >= 0.75 * 14**2:
            free[face].append((top, left))
    fewest = min(map(len, free))
    squares = occluders.over_faces(found, places=fewest)
    for face in range(2):
        drawn = {tuple(map(int, at)) for at in squares.corners[3:, face]}
        assert len(drawn) == fewest
        assert drawn <= set(free[face])
    with pytest.raises(ValueError, match=f"{fewest + 1} random places are wanted; {fewest} on the face"):
        occluders.over_faces(found, places=fewest + 1)


def test_each_face_has_places_of_its_own(drawn):
    own = occluders.over_faces(drawn, places=10).corners[3:]
    for face in range(len(drawn)):
        assert len({tuple(at) for at in own[:, face]}) == 10
    assert (own != own[:, :1]).any()


def test_the_places_are_a_matter_of_the_seed(drawn):
    first, same, other = (occluders.over_faces(drawn, places=5, seed=seed).corners for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_a_square_that_leaves_the_frame_is_refused_with_its_face():
    found = three_points()
    found.points[1, 2] = (32, 62)
    with pytest.raises(ValueError, match=r"14 px over nose of face 1 is not in the frame: row 55, column 25"):
        occluders.over_faces(found)


def test_some_squares_on_some_faces(drawn):
    squares = occluders.over_faces(drawn, places=2)
    few = squares.of([2, 0], faces=[3, 1])
    assert few.names == ("nose", "right eye")
    np.testing.assert_array_equal(few.corners[1, 0], squares.corners[0, 3])


def test_covered_pictures_show_the_fill_in_the_square_and_untouched_elsewhere(drawn):
    squares = occluders.over_faces(drawn, places=1)
    shown = np.arange(64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    pictures = occluders.covered_pictures(drawn, squares, shown)
    for picture, mask in zip(pictures, squares.masks(), strict=True):
        np.testing.assert_array_equal(picture[mask], np.broadcast_to(shown, picture.shape)[mask])
        np.testing.assert_array_equal(picture[~mask], drawn.images[~mask])


# ---- as a network takes them


def test_faces_are_centred_with_the_middle_of_the_mean():
    mean = torch.arange(36.0).reshape(6, 6, 1).expand(6, 6, 3)
    one = torch.zeros(1, dtype=torch.int64)
    images = Pixels(torch.zeros(1, 6, 6, 3, dtype=torch.uint8), one, mean, ("a",), ("b",), {})
    like = Inputs.of(images, side=4, scale=0.5)
    x = faces.centred(np.full((1, 4, 4, 3), 100, np.uint8), like)
    assert x.shape == (1, 3, 4, 4)
    assert x[0, 1, 0, 0] == 0.5 * (100 - 7)  # row 1, column 1 of the mean
    assert x[0, 2, 3, 2] == 0.5 * (100 - 27)
    assert occluders.grey(like, level=128)[0, 0, 0] == 0.5 * (128 - 7)
    assert (occluders.grey(like) == 0).all()  # the mean itself, once it is centred
    assert occluders.mean_picture(like)[0, 3].tolist() == [10] * 3  # row 1, column 4 of the mean
