#!/bin/sh
# The weights that come with hdrq, made again. Every step can be killed and run again: it goes on where it was.
#
#   bench/students.sh [sdr|hdr|tmo|diqm|vtamiq ...]      all of them without names
#   DATA   folder with hdr/, stacks/, livec/Images/ and natural/   [../shared/data]
#   OUT    run folders, several GB of pictures                     [runs]
#   SMALL  anything: the same through tiny settings, in a few minutes
#   DRY    anything: say what it would cost and stop
#   DEVICE auto, cpu or cuda                                       [auto]
#
#   BIQ    Images/ of BIQ2021 (github.com/nisarahmedrana/BIQ2021)  needed by sdr and hdr
#   SCENES folder with the HDR scenes of lists/hdr.csv whose use is "learn", and those of DATA/hdr beside them; needed by hdr
#
# Never learnt from: the HDR scenes of $HELD and every code picture whose name ends in 7, named on each card; ../shared/data/pairs.
# bench/students.py then asks students and teachers about the real pairs and times them. The weights of tmo, diqm and
# vtamiq in models/ are those of this script at 71dc232, with narrower networks, and other held-out scenes (memorial, nave, park).
set -eu
DATA=${DATA:-../shared/data}
OUT=${OUT:-runs}
LIGHT="--images $DATA/hdr --images $OUT/stacks"
CODE="--images $DATA/natural --images $DATA/livec/Images"
MORE="--device ${DEVICE:-auto} --cache $OUT/scores.sqlite --resume ${DRY:+--dry-run}"
WIDTHS="options.widths=[16,32,64,64,64]"
N=${N:-4200} CROP=192 PHOTOS=12000
if [ -n "${SMALL:-}" ]; then
  N=360 PHOTOS=360
  WIDTHS="options.widths=[4,8,8,16,16]"
  CODE="--images $DATA/natural"
fi
HELD=${HELD:-memorial_absolute,nave,noon_grass_1k,dancing_hall_1k,interior,Flowers,kiara_1_dawn_1k,studio_small_05_1k,rooitou_park_1k,grace_cathedral,*7}
CODED=jpegxt,jpeg-pq,jpeg-pu,noise,sensor-noise,blur,lens-blur,motion-blur
OTHER=banding,contrast,saturation,chroma-noise,clip-highlights,crush-shadows,ghosting,sharpening,pixelation,multiplicative-noise

merged() { # two scenes more
  mkdir -p "$OUT/stacks"
  [ -f "$OUT/stacks/frobisher.exr" ] || hdrq merge "$DATA"/stacks/frobisher/*.jpg -o "$OUT/stacks/frobisher.exr"
  [ -f "$OUT/stacks/office.exr" ] ||
    hdrq merge "$DATA"/stacks/radiantlab_office/IMG_69[56][13579].jpg "$DATA"/stacks/radiantlab_office/IMG_6971.jpg -o "$OUT/stacks/office.exr"
}

student() { # name, epochs, then what hdrq distill is told
  name=$1 epochs=${SMALL:+1}
  epochs=${epochs:-$2}
  shift 2
  # shellcheck disable=SC2086
  hdrq distill --name "$name" -o "$OUT/$name" --crop $CROP $MORE "$@" --set "epochs=$epochs"
}

photographs() { # links with names that patterns can match
  mkdir -p "$OUT/photographs"
  for n in $(grep -v '^#' "$(dirname "$0")/photographs.txt"); do
    ln -sf "$BIQ/ss03 ($n).jpg" "$OUT/photographs/ss03_$n.jpg"
  done
}

set_of() { # run, seed, rows, then pictures, screens and distortions
  run=$1 seed=$2 rows=$3
  shift 3
  [ -f "$OUT/$run/set.csv" ] || hdrq distill --make-set recipes -o "$OUT/$run" --seed "$seed" -n "$rows" --crop $CROP \
    --teacher hdrvdp3 --student pu21:norvdpnet++ "$@"
}
sdr() { # SDR code on an SDR screen, no reference
  photographs
  set_of sdr-set 0 $PHOTOS --images "$OUT/photographs" --images "$DATA/natural" --displays sdr-100 --distortions jpeg,noise,blur,lens-blur,motion-blur
  student norvdpnetpp-sdr 16 --teacher hdrvdp3 --student srgb:norvdpnet++ --hold-out '*7' --images "$OUT/sdr-set/set.csv" \
    --set "$WIDTHS" --set options.kind=batch --set loss.pearson=1.0 --set rate=3e-3
}
hdr() { # HDR coding, noise and blur, no reference, beginning from what was learnt of SDR code
  [ -f "$OUT/norvdpnetpp-sdr/norvdpnetpp-sdr.json" ] || sdr
  set_of hdr-light 5 $((PHOTOS / 2)) --images "$SCENES" --distortions $CODED
  set_of hdr-code 6 $((PHOTOS * 7 / 12)) --images "$OUT/photographs" --distortions $CODED
  HDRQ_MODELS=$OUT/norvdpnetpp-sdr student norvdpnetpp-hdr 14 --teacher hdrvdp3 --student pu21:norvdpnet++@norvdpnetpp-sdr \
    --hold-out "$HELD" --images "$OUT/hdr-light/set.csv" --images "$OUT/hdr-code/set.csv" \
    --set "$WIDTHS" --set options.kind=batch --set loss.pearson=1.0 --set rate=2e-3 --set precision=bfloat16
}
tmo() { # tone-mapped HDR, no reference
  [ -f "$OUT/norvdpnetpp-hdr/norvdpnetpp-hdr.json" ] || hdr
  # shellcheck disable=SC2086
  HDRQ_MODELS=$OUT/norvdpnetpp-hdr student norvdpnetpp-tmo 8 --teacher tmqi --student srgb:norvdpnet++@norvdpnetpp-hdr -n $N --hold-out memorial_absolute,nave,park $LIGHT \
    --distortions reinhard,drago,reinhard-devlin,schlick,exponential,logarithmic,gamma,hable,aces-fit,ward-1994,tumblin-rushmeier,sigmoid \
    --set "$WIDTHS" --set options.kind=batch --set loss.pearson=1 --set rate=2e-3
}
both() { # a set for students that see both pictures: coding, and other distortions; the teacher is asked once
  merged
  # shellcheck disable=SC2086
  [ -f "$OUT/coded/set.csv" ] || hdrq distill --make-set recipes -o "$OUT/coded" --cache "$OUT/scores.sqlite" -n $N \
    --crop $CROP --teacher hdrvdp3 --student pu21:vtamiq $LIGHT $CODE --distortions $CODED
  # shellcheck disable=SC2086
  [ -f "$OUT/extra/set.csv" ] || hdrq distill --make-set recipes -o "$OUT/extra" --cache "$OUT/scores.sqlite" --seed 1 -n $N \
    --crop $CROP --teacher hdrvdp3 --student pu21:vtamiq $LIGHT $CODE --distortions $OTHER
  BOTH="--images $OUT/coded/set.csv --images $OUT/extra/set.csv"
}
diqm() { # both pictures, coding alone
  both
  # shellcheck disable=SC2086
  student diqm-hdr 8 --teacher hdrvdp3 --student pu21:diqm --hold-out "$HELD" --images "$OUT/coded/set.csv" \
    --set "$WIDTHS" --set options.channels=2 --set options.norm=batch --set loss.pearson=1 --set rate=3e-3
}
vtamiq() { # a small transformer on SDR and HDR screens, their features brought together
  both
  small="--set options.width=96 --set options.depth=4 --set options.heads=4 --set options.mlp=384"
  small="$small --set options.reduction=8 --set options.groups=2 --set options.blocks=2"
  # shellcheck disable=SC2086
  student pu-vtamiq-small 12 --teacher hdrvdp3 --student pu21:vtamiq --hold-out "$HELD" $BOTH $small \
    --set align=coral --set patches=64 --set test_patches=128 --set loss.pearson=1.0 --set rate=1e-3
}

[ $# -gt 0 ] || set -- sdr hdr tmo diqm vtamiq
for one in "$@"; do
  "$one"
done
