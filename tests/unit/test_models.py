"""Model blobs: equal fits are equal bytes, and reading one runs nothing that the reader did not allow."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import skops.io

from services.training.fitting import fit
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.models import Model, UntrustedModelError, dump_model, load_model
from shared.domain.pipeline import Estimator, Pipeline

ESTIMATORS = {
    "sklearn.ensemble.RandomForestClassifier": {"n_estimators": 5},
    "sklearn.ensemble.HistGradientBoostingClassifier": {"max_iter": 5},
    "sklearn.linear_model.LogisticRegression": {},
}
CONTRACT = Contract(
    features=(Feature(name="size", kind=Kind.NUMBER, nullable=True), Feature(name="shop", kind=Kind.CATEGORY)),
    label=Label(name="sold"),
)


def rows() -> pa.Table:
    generator = np.random.default_rng(5)
    size = [None if place == 7 else float(value) for place, value in enumerate(generator.normal(size=120))]
    shop = [("north", "south")[place % 2] for place in range(120)]
    sold = ["yes" if (value or 0) > 0 else "no" for value in size]
    return pa.table({"size": size, "shop": shop, "sold": sold})


def fitted(path: str) -> Model:
    estimator = Estimator(path=path, parameters=ESTIMATORS[path])
    return fit(Pipeline(name="shop", contract=CONTRACT, estimator=estimator), rows(), None, 3)


@pytest.mark.parametrize("path", ESTIMATORS)
class TestEveryKindOfModel:
    def test_equal_fits_are_equal_bytes(self, path: str) -> None:
        assert dump_model(fitted(path)) == dump_model(fitted(path))

    def test_a_model_read_back_predicts_the_same(self, path: str) -> None:
        model = fitted(path)
        again = load_model(dump_model(model))
        labels, scores = model.predict(rows())
        same_labels, same_scores = again.predict(rows())
        assert again.columns == model.columns
        assert labels.equals(same_labels)
        np.testing.assert_array_equal(scores, same_scores)

    def test_a_model_read_back_is_stored_under_its_digest_again(self, path: str) -> None:
        blob = dump_model(fitted(path))
        assert dump_model(load_model(blob)) == blob


def test_stray_memory_between_a_trees_fields_does_not_reach_the_blob() -> None:
    with zipfile.ZipFile(io.BytesIO(dump_model(fitted("sklearn.ensemble.RandomForestClassifier")))) as archive:
        members = [archive.read(name) for name in archive.namelist() if name.endswith(".npy")]
    trees = [(np.load(io.BytesIO(member)), member) for member in members if b"missing_go_to_left" in member]
    assert len(trees) == 5
    for nodes, member in trees:
        raw = np.frombuffer(member[-nodes.nbytes :], np.uint8).reshape(len(nodes), nodes.itemsize)
        assert not raw[:, 57:].any()


def test_nothing_in_a_blob_tells_when_it_was_written() -> None:
    with zipfile.ZipFile(io.BytesIO(dump_model(fitted("sklearn.linear_model.LogisticRegression")))) as archive:
        assert {member.date_time[0] for member in archive.infolist()} == {1980}


def test_a_blob_with_a_type_outside_the_list_is_refused_by_name() -> None:
    blob = skops.io.dumps({"task": "classification", "columns": [], "estimator": io.BytesIO})
    with pytest.raises(UntrustedModelError, match=r"outside the allow-list: .*BytesIO"):
        load_model(blob)
