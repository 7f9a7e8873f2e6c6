"""Photometry: the display model, encodings and displays (one per file), conversion between light and code.

displays/       Displays as data, one per file
encodings/      Encodings from light to code and back, one per file
code_images     Images as code of a stated form: sRGB of BT.709 for networks, PQ for formats that hold code
convert         Encoding and decoding of files: light written as code, and code decoded to light
curves          What entries of encodings/ share: the PU21 curve, and SDR code relative to a white
display_choice  The display that an image is shown on, and the luminance of a pixel value of 1
display_model   The display model: EOTF, black level, reflected ambient light, panels before dimmed LEDs
emission        Conversion between light and code
file_info       Contents of an image file, and how hdrq interprets it by default
photometry      Conversion from the values of a file to the input of a metric: scale, display, primaries, encoding
reading         How the files of a command are read: which image of a file, and what the user says of its values
settings        What is known of the light besides the pixels: display, viewing, scale, primaries
thumbnails      Thumbnails of a reference and its test image, HDR tone-mapped, as data URIs for HTML pages
"""
