#!/bin/sh
# train_network.sh NETWORK DATA RUNS [OPTION...]: everything from FER-2013 to the int8 file, as docs/accuracy.md tells it:
# each of NETWORK's trainings (small, nano or classic) in a folder of RUNS, then RUNS/fer-NETWORK.tflite, its card, and what
# it scores in RUNS/fer-NETWORK/. The same command goes on where it was stopped. An OPTION goes to each training, over its own.
set -eu
if [ $# -lt 3 ]; then
    echo "usage: $0 small|nano|classic DATA RUNS [OPTION of fer-convert train ...]" >&2
    exit 2
fi
network=$1
data=$2
runs=$3
shift 3
small=$(dirname "$0")/../fer_edge/models/fer-small.tflite

# trained RUN OPTION...: that run's training; "$more" is what the caller adds to all of them.
trained() {
    run=$1
    shift
    best=$runs/$run/$network.keras
    # shellcheck disable=SC2086  # the list is meant to be split
    fer-convert train --data "$data" --network "$network" -o "$runs/$run" "$@" $more
}

more=$*
case $network in
small)
    trained small-1 --epochs 34 --augment strong --mixup 0 --warmup 1
    trained small-2 --epochs 27 --augment medium --rate 0.0015 --warmup 1 --start "$best"
    ;;
nano)
    trained nano-1 --epochs 40
    trained nano-2 --epochs 36 --rate 0.002 --warmup 0.5 --averaged 0.08 --start "$best" --teacher "$small" --taught-share 0.7
    ;;
classic)
    set -- --optimizer adam --batch 64 --augment mirror --teacher "$small"
    trained classic-1 --epochs 11 --warmup 0.5 "$@"
    trained classic-2 --epochs 12 --warmup 0.5 --rate 0.0007 --start "$best" "$@"
    trained classic-3 --epochs 5 --warmup 0.3 --rate 0.0005 --start "$best" "$@"
    ;;
*)
    echo "there is no network $network: small, nano or classic" >&2
    exit 2
    ;;
esac
fer-convert quantize "$best" -o "$runs/fer-$network.tflite" --data "$data" --labels fer2013 --range=-1,1
fer-convert evaluate --data "$data" --labels fer2013 --range=-1,1 "$runs/fer-$network.tflite" "$best" -o "$runs/fer-$network"
