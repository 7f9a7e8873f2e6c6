"""File formats that hdrq does not read, recognised so that an error can name them. Standard library only."""

from __future__ import annotations

# Position, first bytes, name.
SIGNATURES = (
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript"),
    (0, b"DDS ", "DirectDraw surface"),
    (0, b"SDPX", "DPX"),
    (0, b"XPDS", "DPX"),
    (0, b"\x80\x2a\x5f\xd7", "Cineon"),
    (0, b"qoif", "QOI"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (0, b"\x01\xda", "SGI image"),
    (0, b"\x0a\x05\x01", "PCX"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"\x53\x80\xf6\x34", "Softimage PIC"),
    (0, b"gimp xcf", "GIMP image"),
    (0, b"farbfeld", "farbfeld"),
    (0, b"\x8aMNG", "MNG"),
    (0, b"\x8bJNG", "JNG"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"FLIF", "FLIF"),
    (0, b"\xabKTX ", "KTX texture"),
    (0, b"\x93NUMPY", "NumPy array"),
    (0, b"\x89HDF", "HDF5"),
    (0, b"MATLAB 5.0", "MATLAB"),
    (0, b"PK\3\4", "ZIP archive"),
    (0, b"\x1f\x8b", "gzip archive"),
    (0, b"OggS", "Ogg"),
    (0, b"FLV", "Flash video"),
    (36, b"acsp", "ICC profile"),
    (128, b"DICM", "DICOM"),
)
# Brands of the ISO base media file format.
BRANDS = {
    b"mif3": "HEIF with minimised headers",
    b"crx ": "Canon CR3 under another suffix",
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "HEIC"),
    **dict.fromkeys((b"avci", b"avcs"), "HEIF of AVC"),
    b"j2ki": "HEIF of JPEG 2000",
    b"jpeg": "HEIF of JPEG",
    **dict.fromkeys((b"mif1", b"mif2", b"msf1"), "HEIF"),
}
# Formats without a signature.
SUFFIXES = {
    **dict.fromkeys((".tga", ".icb", ".vda", ".vst"), "Targa"),
    **dict.fromkeys((".yuv", ".nv12"), "raw video without a header"),
    ".rla": "Wavefront RLA",
    ".raw": "raw data without a header",
}
ICONS = {b"\1\0": "Windows icon", b"\2\0": "Windows cursor"}
# Files of these kinds hold no image, or not as their content.
OTHER_KINDS = ("ICC profile", "NumPy array", "HDF5", "MATLAB", "ZIP archive", "gzip archive", "Ogg")
NETPBM = {b"1": "PBM", b"2": "PGM", b"3": "PPM", b"4": "PBM", b"5": "PGM", b"6": "PPM", b"7": "PAM"}
# bytes at the beginning of a file that suffice
START = 512


def brands(start: bytes) -> tuple[bytes, ...]:
    """The major brand, minor version and compatible brands of an ISO base media file; () for others."""
    if start[4:8] != b"ftyp":
        return ()
    stop = min(int.from_bytes(start[:4], "big"), len(start))
    return tuple(start[at : at + 4] for at in range(8, stop - 3, 4))


def name_of(start: bytes, suffix: str) -> str | None:
    """The format of a file with these first bytes and this suffix (lower case); None if it is not known."""
    if start[:1] == b"P" and start[1:2] in NETPBM and start[2:3].isspace():
        return f"Netpbm ({NETPBM[start[1:2]]})"
    for at, magic, name in SIGNATURES:
        if start[at : at + len(magic)] == magic:
            return name
    # packets of 188 bytes
    if start[:1] == b"G" and start[188:189] == b"G" and start[376:377] == b"G":
        return "MPEG transport stream"
    # else a Targa
    if start[:2] == b"\0\0" and start[2:4] in ICONS and start[4:6] != b"\0\0":
        return ICONS[start[2:4]]
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:4] == b"<svg" or (head[:5] == b"<?xml" and b"<svg" in start):
        return "SVG"
    if found := brands(start):
        known = next((name for brand, name in BRANDS.items() if brand in found), None)
        return known or f"the ISO media format '{found[0].decode('latin-1').strip()}'"
    return SUFFIXES.get(suffix)
