# Stages of a run, one after the other or beside each other; to be sourced.
#
#   stage NAME COMMAND...    now; its words are shown as they come
#   beside NAME COMMAND...   beside what follows, at a low priority, so that it takes what the
#                            stages in front leave; its words are kept
#   join NAME                waits for the end of one of those and shows its words in one piece
#   conclude                 joins the rest, prints a line a stage, ends with 1 if one has failed
#
# A stage that fails does not keep the others from running. One that died without a word has failed.

stages_kept=build/stages
rm -rf "$stages_kept"
mkdir -p "$stages_kept"
declare -A stages_running=()
stages_told=()
stages_status=0

say() { printf '\n==== %s\n' "$1"; }

stages_note() {  # STATUS SECONDS NAME
  local word=passed
  [ "$1" = 0 ] || { word=FAILED; stages_status=1; }
  stages_told+=("$(printf '%s %5d s  %s' "$word" "$2" "$3")")
}

stage() {
  local name=$1 began=$SECONDS status=0
  shift
  say "$name"
  "$@" || status=$?
  stages_note "$status" $((SECONDS - began)) "$name"
}

beside() {
  local name=$1 kept=$stages_kept/${1//[^A-Za-z0-9.]/-}
  shift
  echo "begun beside what follows: $name"
  set -m  # a process group, which can be ended as a whole
  (
    began=$SECONDS status=0
    nice -n 15 "$@" >"$kept.log" 2>&1 </dev/null || status=$?
    echo "$status $((SECONDS - began))" >"$kept.end"
  ) &
  set +m
  stages_running[$name]=$!
}

join() {
  local name=$1 kept=$stages_kept/${1//[^A-Za-z0-9.]/-} status=1 seconds=0
  wait "${stages_running[$name]}" || true
  unset "stages_running[$name]"
  say "$name (it ran beside others)"
  cat "$kept.log" || true
  if [ -e "$kept.end" ]; then read -r status seconds <"$kept.end"; fi
  stages_note "$status" "$seconds" "$name"
}

conclude() {
  local name
  for name in "${!stages_running[@]}"; do join "$name"; done
  say "all stages"
  printf '%s\n' "${stages_told[@]}"
  exit "$stages_status"
}

stages_end() {  # whoever stops the run stops what it began
  local pid
  for pid in "${stages_running[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
}
trap stages_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
