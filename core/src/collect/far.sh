# The far end of `lb collect`: told to a POSIX sh on its stdin, behind it the calls of this one time.
# It installs nothing and writes nothing; what it says is told in wire.rs. Functions are read before
# they run, and what runs has /dev/null as stdin, so that nothing eats the rest of the script.
# shellcheck shell=sh

LC_ALL=C
export LC_ALL
unset CDPATH

# begin MARK FOLDER RUN: what a login says on stdout is over; then into the folder of the run.
begin() {
  printf '%s\0' "$1"
  if ! cd -- "$2"; then
    printf 'N\0Z\0'
    return 1
  fi
  if ! [ -d "./$3" ]; then
    printf 'O\0'
    for other in ./*/; do
      [ -d "$other" ] && printf 'R\0%s\0' "${other#./}"
    done
    printf 'Z\0'
    return 1
  fi
  cd "./$3" || return 1
}

# The program of ours, under either of its names: another lb says no "record schema".
lb=
find_lb() {
  for lb in lb-log lb; do
    case $("$lb" --version 2>/dev/null) in
    *'record schema'*) return ;;
    esac
  done
  lb=
}

# list [--dry-run]
list() {
  find_lb
  if [ -n "$lb" ] && "$lb" collect-source list "$@"; then return; fi
  printf 'B\0'
  # shellcheck disable=SC2016
  find . -type f \( -name '*.jsonl' -o -name '.*.lock' -o -name '.*.rings' -o -name '.*.offset' \) -exec sh -c '
    for file do
      case $file in
      *.jsonl) ;;
      *)
        printf "S\0%s\0" "$file"
        continue
        ;;
      esac
      size=$(stat -c "%s %Y-%d:%i" "$file" 2>/dev/null || stat -f "%z %m-%d:%i" "$file" 2>/dev/null || wc -c <"$file") || continue
      begins=0
      if [ "$(head -c 14 "$file" 2>/dev/null | tr -d "\000")" = "{\"timestamp\":\"" ]; then begins=1; fi
      printf "F\0%s\0%s\0%s\0" "$file" "$size" "$begins"
    done
  ' sh {} + || printf 'W\0some of what lies there could not be read\0'
  printf 'Z\0'
}

# fetch NUMBER BYTES FILE: one gzip member, then which file has the name now.
# shellcheck disable=SC2094
fetch() {
  {
    printf 'D\0%s\0' "$1"
    head -c "$2" | gzip -1 -c
    printf '%s\0' "$(stat -c '%d:%i' "$3" 2>/dev/null || stat -f '%d:%i' "$3" 2>/dev/null)"
  } <"$3" || printf 'X\0%s\0' "$1"
}

# remove LIVE-FILE [FILE BYTES SHA256]…
remove() {
  find_lb
  if [ -z "$lb" ]; then
    printf 'K\0there is no lb there, which alone can know whether the logs are in use; install it there\0'
    return
  fi
  "$lb" collect-source remove "$@" || printf 'K\0lb there did not remove them; is it older?\0'
}
