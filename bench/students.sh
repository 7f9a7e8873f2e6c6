#!/bin/sh
# The weights that come with hdrq, made again. Every step can be killed and run again: it goes on where it was.
#
#   bench/students.sh [hdr|sdr|tmo|diqm|vtamiq ...]      all of them without names
#   DATA   folder with hdr/, livec/Images/, natural/ and sdr_iqa/  [../shared/data]
#   OUT    run folders, several GB of pictures                     [runs]
#   SMALL  anything: the same through tiny settings, in a minute or two
#   DRY    anything: say what it would cost and stop
#   DEVICE auto, cpu or cuda                                       [auto]
#
# Scenes held out are drawn by the seed and named on each card; the pairs in $DATA/pairs are never learnt from.
set -eu
DATA=${DATA:-../shared/data}
OUT=${OUT:-runs}
LIGHT="--images $DATA/hdr"
CODE="--images $DATA/livec/Images --images $DATA/natural"
MORE="--device ${DEVICE:-auto} --resume ${DRY:+--dry-run}"
WIDTHS="options.widths=[8,16,32,64,128]"
if [ -n "${SMALL:-}" ]; then
  SIZE="-n 96 --crop 64 --set epochs=1 --set batch=8"
  WIDTHS="options.widths=[4,8,8,16,16]"
  CODE="--images $DATA/natural"
  TALL="-n 48 --crop 192" # TMQI needs 161 pixels a side
else
  SIZE="-n ${N:-12000} --crop 256"
  TALL=
fi

student() { # name, then what hdrq distill is told
  name=$1
  shift
  # shellcheck disable=SC2086
  hdrq distill --name "$name" -o "$OUT/$name" $SIZE $MORE "$@"
}

hdr() { # HDR coding, noise and blur, no reference
  student norvdpnetpp-hdr --teacher hdrvdp3 --student pu21:norvdpnet++ $LIGHT \
    --distortions jpegxt,jpeg-pq,jpeg-pu,noise,sensor-noise,blur,lens-blur,motion-blur \
    --set "$WIDTHS" --set rate=1e-3
}
sdr() { # the same of SDR code
  student norvdpnetpp-sdr --teacher hdrvdp3 --student srgb:norvdpnet++ $CODE --displays sdr-100 \
    --distortions jpeg,jpeg2000,avif,noise,blur,lens-blur,motion-blur \
    --set "$WIDTHS" --set rate=1e-3
}
tmo() { # tone-mapped HDR, no reference
  student norvdpnetpp-tmo --teacher tmqi --student srgb:norvdpnet++ $LIGHT \
    --distortions reinhard,drago,reinhard-devlin,schlick,exponential,logarithmic,gamma,hable,aces-fit,ward-1994,tumblin-rushmeier,sigmoid $TALL \
    --set "$WIDTHS" --set rate=1e-3
}
diqm() { # both pictures
  student diqm-hdr --teacher hdrvdp3 --student pu21:diqm $LIGHT $CODE \
    --distortions jpegxt,jpeg-pq,jpeg,noise,sensor-noise,blur,banding,contrast,clip-highlights,crush-shadows,ghosting,grating \
    --set "$WIDTHS" --set options.channels=2 --set rate=1e-3
}
vtamiq() { # a small transformer on SDR and HDR screens, their features brought together
  small="--set options.width=96 --set options.depth=4 --set options.heads=4 --set options.mlp=384"
  small="$small --set options.reduction=8 --set options.groups=2 --set options.blocks=2"
  # shellcheck disable=SC2086
  student pu-vtamiq-small --teacher hdrvdp3 --student pu21:vtamiq $LIGHT $CODE --displays sdr,bright \
    --distortions jpegxt,jpeg-pu,jpeg,jpeg2000,noise,chroma-noise,sensor-noise,blur,lens-blur,motion-blur,banding,contrast,saturation,sharpening,clip-highlights,crush-shadows,ghosting,pixelation \
    $small --set align=coral --set patches=${PATCHES:-128} --set rate=5e-4
}

[ $# -gt 0 ] || set -- hdr sdr tmo diqm vtamiq
for one in "$@"; do
  "$one"
done
