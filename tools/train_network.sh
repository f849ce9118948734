#!/bin/sh
# train_network.sh NETWORK DATA RUNS [OPTION...]: everything from FER-2013 to the int8 file, as docs/accuracy.md tells it:
# the two networks that teach, then NETWORK (small, nano or classic), each in a folder of RUNS; RUNS/fer-NETWORK.tflite, its
# card, and what it scores in RUNS/fer-NETWORK/. The same command goes on where it was stopped, and networks share their
# teachers. An OPTION goes to each training, over its own. TEACHER=FILE teaches nano or classic instead of the two.
set -eu
if [ $# -lt 3 ]; then
    echo "usage: $0 small|nano|classic DATA RUNS [OPTION of fer-convert train ...]" >&2
    exit 2
fi
network=$1
data=$2
runs=$3
shift 3
more=$*

# trained RUN NETWORK OPTION...: that run's training; "$more" is what the caller adds to all of them.
trained() {
    run=$1
    of=$2
    shift 2
    # shellcheck disable=SC2086  # the list is meant to be split
    fer-convert train --data "$data" --network "$of" -o "$runs/$run" "$@" $more
}

# taught OPTION...: the networks that teach, then NETWORK's own training.
taught() {
    if [ "$network" = small ] || [ -z "${TEACHER:-}" ]; then
        trained small-strong small --epochs 61 --augment strong --mixup 0
        trained small-medium small --epochs 61 --augment medium --seed 2014
        set -- --teacher "$runs/small-strong/small.keras" --teacher "$runs/small-medium/small.keras" "$@"
    else
        set -- --teacher "$TEACHER" "$@"
    fi
    trained "$network" "$network" "$@"
}

case $network in
small) taught --epochs 104 --augment medium --rate 0.0015 --warmup 1 --start "$runs/small-medium/small.keras" ;;
nano) taught --epochs 125 --taught-share 0.7 ;;
classic) taught --epochs 115 --optimizer adam ;;
*)
    echo "there is no network $network: small, nano or classic" >&2
    exit 2
    ;;
esac
best=$runs/$network/$network.keras
fer-convert quantize "$best" -o "$runs/fer-$network.tflite" --data "$data" --labels fer2013 --range=-1,1
fer-convert evaluate --data "$data" --labels fer2013 --range=-1,1 "$runs/fer-$network.tflite" "$best" -o "$runs/fer-$network"
