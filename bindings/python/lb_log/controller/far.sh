# The far end of one phase: told to a POSIX sh on its stdin, behind it the exports and the call of main.
# What follows there are words of the controller, so that nothing secret is on a command line and the
# death of the connection is seen.
# shellcheck shell=sh

# Runs the command in a session of its own, and tells on both streams where its output begins and ends.
#   main MARK LIMIT_S GRACE_S COMMAND end
main() {
  # A script that was cut on its way must not run.
  [ "$#" = 5 ] && [ "$5" = end ] || return
  if command -v setsid >/dev/null 2>&1; then
    far_session=setsid
  else
    far_session='perl -MPOSIX=setsid -e setsid();exec(@ARGV)or(exit(127))'
  fi
  # What a shell says of processes that were ended is no output.
  exec 4>&2 2>/dev/null
  # In the foreground: what a shell starts in the background ignores SIGINT for good.
  $far_session sh -c "$far_leader" "$1" "$2" "$3" "$4"
  # Where the leader was killed it could not tell this itself; the first word counts.
  far_tell "$1 exit $?"
}

far_tell() {
  printf '%s\n' "$1"
  printf '%s\n' "$1" >&4
}

# The leader of the group. It outlives a SIGTERM until the command has ended by it.
# Within single quotes, because it is a program of its own: $0 is the mark.
# shellcheck disable=SC2016
far_leader='
limit=$1 grace=$2 command=$3 told=
tell() { printf "%s\n" "$0 $1"; printf "%s\n" "$0 $1" >&4; }
finish() { kill -s TERM -- "-$$"; sleep "$grace"; kill -s KILL -- "-$$"; }
# The words of the controller; their end is the end of the connection.
( trap "" TERM
  while read -r word; do
    case $word in TERM | KILL) kill -s "$word" -- "-$$" ;; esac
  done
  finish ) <&3 >/dev/null 4>&- &
listener=$!
# The time limit holds also where nobody can be reached any more.
( trap "kill -s KILL \$!; exit" TERM
  sleep "$limit" &
  wait "$!"
  trap "" TERM
  finish ) </dev/null >/dev/null 3<&- 4>&- &
limiter=$!
exec 3<&-
# Not before these two were begun: a signal that finds a trap in a shell that is just forked is lost.
trap "told=1" TERM
tell "group $$"
if [ -z "$told" ]; then
  sh -c "$command" 2>&4 4>&-
  status=$?
else
  status=143
fi
# Before the end is told: the connection ends by that, and the listener would end what goes on here.
kill -s KILL "$listener"
kill -s TERM "$limiter"
tell "exit $status"
# What was to end takes along whatever of it is left.
[ -z "$told" ] || kill -s KILL -- "-$$"
exit "$status"
'

# Ends a group that a lost connection has left, unless its number is somebody else's by now.
#   end_group MARK GROUP GRACE_S MARK_OF_THE_GROUP end
end_group() {
  exec 4>&2
  case $({ tr '\0' ' ' <"/proc/$2/cmdline" || ps -o args= -p "$2"; } 2>/dev/null) in
  *"$4"*) ;;
  *)
    far_tell "$1 exit 0"
    return
    ;;
  esac
  kill -s TERM -- "-$2"
  far_left=$(($3 * 10))
  while kill -s 0 -- "-$2" 2>/dev/null && [ "$far_left" -gt 0 ]; do
    sleep 0.1
    far_left=$((far_left - 1))
  done
  kill -s KILL -- "-$2" 2>/dev/null
  far_tell "$1 exit 0"
}
