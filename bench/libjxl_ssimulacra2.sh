#!/bin/sh
# Builds libjxl_ssimulacra2 from a checkout of libjxl 0.9.5 whose folder build/ has been configured by cmake:
#
#     bench/libjxl_ssimulacra2.sh LIBJXL PROGRAM
#
# Needs g++, Highway and Little CMS 2 with their headers. Only the files that the function calls are compiled.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
cd "$1"
jxl="cache_aligned color_encoding_internal enc_image_bundle enc_xyb fields frame_header gauss_blur headers image image_bundle image_metadata luminance cms/jxl_cms jpeg/jpeg_data"
g++ -O2 -DNDEBUG -std=c++14 -w -fno-rtti -fno-exceptions -ffunction-sections -Wl,--gc-sections -DJPEGXL_ENABLE_SKCMS=0 \
  -I. -Ilib/include -Ibuild/lib/include -Ibuild/lib/jxl \
  "$here/libjxl_ssimulacra2.cc" tools/ssimulacra2.cc $(for name in $jxl; do echo "lib/jxl/$name.cc"; done) \
  -o "$out" -lhwy -llcms2 -pthread
