#!/bin/sh
# The weights that come with hdrq, made again. Every step can be killed and run again: it goes on where it was.
#
#   bench/students.sh [hdr|sdr|tmo|diqm|vtamiq ...]      all of them without names
#   DATA   folder with hdr/, stacks/, livec/Images/ and natural/   [../shared/data]
#   OUT    run folders, several GB of pictures                     [runs]
#   SMALL  anything: the same through tiny settings, in a few minutes
#   DRY    anything: say what it would cost and stop
#   DEVICE auto, cpu or cuda                                       [auto]
#
# Never learnt from: three HDR scenes and every code picture whose name ends in 7, named on each card; ../shared/data/pairs.
# bench/students.py then asks students and teachers about the real pairs and times them.
set -eu
DATA=${DATA:-../shared/data}
OUT=${OUT:-runs}
LIGHT="--images $DATA/hdr --images $OUT/stacks"
CODE="--images $DATA/natural --images $DATA/livec/Images"
MORE="--device ${DEVICE:-auto} --cache $OUT/scores.sqlite --resume ${DRY:+--dry-run}"
WIDTHS="options.widths=[8,16,32,64,64]"
N=${N:-4200} CROP=192
if [ -n "${SMALL:-}" ]; then
  N=360
  WIDTHS="options.widths=[4,8,8,16,16]"
  CODE="--images $DATA/natural"
fi
HELD=${HELD:-memorial_absolute,nave,park,*7}
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

more() { # run, seed, then pictures, screens and distortions: twice as many rows again, of other crops and levels
  run=$1 seed=$2
  shift 2
  [ -f "$OUT/$run-more/set.csv" ] || hdrq distill --make-set recipes -o "$OUT/$run-more" --cache "$OUT/scores.sqlite" --seed "$seed" \
    -n $((2 * N)) --crop $CROP --teacher hdrvdp3 --student pu21:norvdpnet++ "$@"
}
further() { # run, code, held out: on from a run's weights in a second, shorter descent, over its set and the one of more
  epochs=${SMALL:+1}
  HDRQ_MODELS=$OUT/$1 hdrq distill --name "$1" -o "$OUT/$1-on" --crop $CROP $MORE --teacher hdrvdp3 \
    --images "$OUT/$1/set.csv" --images "$OUT/$1-more/set.csv" --student "$2:norvdpnet++@$1" --hold-out "$3" \
    --set "$WIDTHS" --set options.kind=batch --set loss.pearson=1.0 --set "epochs=${epochs:-10}" --set rate=2e-3
}
hdr() { # HDR coding, noise and blur, no reference
  merged
  # shellcheck disable=SC2086
  student norvdpnetpp-hdr 14 --teacher hdrvdp3 --student pu21:norvdpnet++ -n $N --hold-out "$HELD" $LIGHT $CODE --distortions $CODED \
    --set "$WIDTHS" --set options.kind=batch --set loss.pearson=1.0 --set rate=3e-3
  # shellcheck disable=SC2086
  more norvdpnetpp-hdr 2 $LIGHT $CODE --distortions $CODED
  further norvdpnetpp-hdr pu21 "$HELD"
}
sdr() { # the same of SDR code, beginning from what was learnt of PU21 code
  [ -f "$OUT/norvdpnetpp-hdr/norvdpnetpp-hdr.json" ] || hdr
  screen="$CODE --displays sdr-100 --distortions jpeg,noise,blur,lens-blur,motion-blur"
  # shellcheck disable=SC2086
  HDRQ_MODELS=$OUT/norvdpnetpp-hdr student norvdpnetpp-sdr 8 --teacher hdrvdp3 --student srgb:norvdpnet++@norvdpnetpp-hdr -n $N --hold-out '*7' $screen \
    --set "$WIDTHS" --set options.kind=batch --set loss.pearson=1 --set rate=2e-3
  # shellcheck disable=SC2086
  more norvdpnetpp-sdr 3 $screen
  further norvdpnetpp-sdr srgb '*7'
}
tmo() { # tone-mapped HDR, no reference
  [ -f "$OUT/norvdpnetpp-hdr/norvdpnetpp-hdr.json" ] || hdr
  # shellcheck disable=SC2086
  HDRQ_MODELS=$OUT/norvdpnetpp-hdr student norvdpnetpp-tmo 8 --teacher tmqi --student srgb:norvdpnet++@norvdpnetpp-hdr -n $N --hold-out memorial_absolute,nave,park $LIGHT \
    --distortions reinhard,drago,reinhard-devlin,schlick,exponential,logarithmic,gamma,hable,aces-fit,ward-1994,tumblin-rushmeier,sigmoid \
    --set "$WIDTHS" --set options.kind=batch --set loss.pearson=1 --set rate=2e-3
}
both() { # a set for students that see both pictures: the one of hdr, and other distortions; the teacher is asked once
  [ -f "$OUT/norvdpnetpp-hdr/set.csv" ] || hdr
  # shellcheck disable=SC2086
  [ -f "$OUT/extra/set.csv" ] || hdrq distill --make-set recipes -o "$OUT/extra" --cache "$OUT/scores.sqlite" --seed 1 -n $N \
    --crop $CROP --teacher hdrvdp3 --student pu21:vtamiq $LIGHT $CODE --distortions $OTHER
  BOTH="--images $OUT/norvdpnetpp-hdr/set.csv --images $OUT/extra/set.csv"
}
diqm() { # both pictures, the set of hdr
  [ -f "$OUT/norvdpnetpp-hdr/set.csv" ] || hdr
  # shellcheck disable=SC2086
  student diqm-hdr 8 --teacher hdrvdp3 --student pu21:diqm --hold-out "$HELD" --images "$OUT/norvdpnetpp-hdr/set.csv" \
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

[ $# -gt 0 ] || set -- hdr sdr tmo diqm vtamiq
for one in "$@"; do
  "$one"
done
