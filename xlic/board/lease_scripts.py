"""What the board's shell does for the lease: see :mod:`xlic.board.lease`.

Times are whole seconds of a clock that the functions are made with. Those that change are written
over what is there (``1<>``), as wide as before: on a full disk a file that is there has its room,
a new one has none.
"""

from __future__ import annotations

from xlic.board.shell import LEASE_LOST_STATUS, quoted

UPTIME = "cut -d. -f1 /proc/uptime"
HELD_STATUS = 76
"""Exit status of :func:`whose` where somebody else holds the board."""
OURS_STATUS = 77
"""The same where it is ours."""
UNKNOWN_STATUS = 78
"""The same where the user may not know."""
TICKET_EXPIRY = 15
"""Seconds after which somebody in line who has not asked again is taken for gone."""
_LOG_LINES = 200

LOST = f"{{ echo 'the lease is lost' >&2; exit {LEASE_LOST_STATUS}; }}"

# The clock, the highest lease, whether it is ours, what is known of it. Those of a guard start no
# process: on a slow board each costs as much as all the rest.
_FUNCTIONS = r"""umask 077; IFS= read -r boot < /proc/sys/kernel/random/boot_id
now() {{ {clock}; }}
top() {{ n=; for file in lease.*; do number=${{file#lease.}}
  [ "$number" -gt "${{n:-0}}" ] 2> /dev/null && n=$number; done; [ -n "$n" ]; }}
mine() {{ [ ! -e "released.$n" ] && IFS= read -r line 2> /dev/null < "lease.$n" &&
  [ "$line" = "token=$1" ]; }}
value() {{ sed -n "s/^$1=//p" "lease.$n" 2> /dev/null | head -n 1; }}
stamp() {{ t=$(now); read=; [ -n "$t" ] && printf '%-15s\n' "$t" 2> /dev/null 1<> "$1" &&
  read -r read 2> /dev/null < "$1"; [ -n "$t" ] && [ "$read" = "$t" ] || {{
  echo "$PWD cannot be written; is there room?" >&2; return 9; }}; }}
look() {{ since=$(value since); expiry=$(value expiry); beat=
  read -r beat 2> /dev/null < "beat.$n"; [ "$beat" -ge 0 ] 2> /dev/null || beat=${{since:-0}}
  stale=1; t=$(now)
  age=$((t - beat))
  if [ "$(value boot)" = "$boot" ] && [ $age -le "${{expiry:-0}}" ]; then stale=0; fi; }}
tell() {{ look; echo "beat=$age"; echo "held=$((t - ${{since:-0}}))"
  echo "stale=$stale"; grep -E '^(owner|host|purpose)=' "lease.$n"; }}"""

# Those who wait: `own` is our ticket's number, `ahead` how many come before, `first` the first one.
_LINE = r"""
ticket() {{ seen=; bearer=
  {{ read -r seen && IFS= read -r bearer; }} 2> /dev/null < "ticket.$1"
  [ -n "$bearer" ] && [ "$seen" -ge 0 ] 2> /dev/null || seen=-1000; }}
line() {{ own=; living=; last=0; t=$(now)
  for file in ticket.*; do number=${{file#ticket.}}
    [ "$number" -gt 0 ] 2> /dev/null || continue
    ticket "$number"; age=$((t - seen))
    if [ "$bearer" = "token=$1" ]; then own=$number
    elif [ $age -gt {expiry} ] || [ $age -lt -{expiry} ]; then rm -f "$file"; continue
    else living="$living $number"; fi
    [ "$number" -gt "$last" ] && last=$number
  done; }}
before() {{ ahead=0; first=
  for number in $living; do
    [ -n "$own" ] && [ "$number" -gt "$own" ] && continue
    ahead=$((ahead + 1)); [ "$number" -gt "${{first:-$number}}" ] || first=$number
  done; }}
"""

# What is ours already, by an attempt whose answer was lost, stays so. A disk without room for a
# ticket has none for a new lease either.
_TAKE = r"""mkdir -p {folder} && cd {folder} || exit 9
top; before=; held=
line {token}
claim() {{ printf '%s\n' "$@" > {claim} && [ "$(tail -n 1 {claim})" = end= ]; }}
if [ {queue} = 1 ] && [ -n "$own" ]; then stamp "ticket.$own" 2> /dev/null
elif [ {queue} = 1 ]; then
  if claim "$(printf '%-15s' "$t")" {lines} end= 2> /dev/null; then
    tries=0; while [ $tries -lt 100 ]; do tries=$((tries + 1)); last=$((last + 1))
      ln {claim} "ticket.$last" 2> /dev/null && own=$last && break; done
  fi
  rm -f {claim}
  line {token}
fi
leave() {{ [ -z "$own" ] || rm -f "ticket.$own"; }}
if [ -n "$n" ] && [ ! -e "released.$n" ]; then
  look
  if [ $stale = 0 ] && mine {token}; then
    stamp "beat.$n" || exit; leave; echo "got $n"; exit 0; fi
  if [ $stale = 0 ]; then before; echo held; tell; echo "ahead=$ahead"; exit 0; fi
  held=$(tell)
fi
before
if [ -n "$first" ]; then
  ticket "$first"; echo queued; echo "beat=$((t - seen))"; echo "ahead=$ahead"
  grep -E '^(owner|host|purpose)=' "ticket.$first"; exit 0
fi
next=$((${{n:-0}} + 1))
claim {lines} "boot=$boot" "since=$(now)" end= && stamp "beat.$next" || {{
  rm -f {claim}; echo "$PWD cannot be written; is there room?" >&2; exit 9; }}
if ! ln {claim} "lease.$next" 2> /dev/null; then
  rm -f {claim}; top; echo raced; tell; exit 0
fi
rm -f {claim}
top
if [ "$n" != "$next" ]; then
  rm -f "lease.$next"; echo raced; tell; exit 0
fi
leave
for old in lease.* beat.* released.*; do
  number=${{old#*.}}; number=${{number%%.*}}
  case $number in *[!0-9]*|'') ;; *) [ "$number" -lt "$next" ] && rm -f "$old";; esac
done
if [ -n "$held" ]; then
  {{ tail -n {log} log 2> /dev/null; echo "$(now) reclaimed from" $held; }} > "log.$next"
  mv "log.$next" log
fi
echo "got $next"; printf '%s' "$held"; exit 0"""


def functions(clock: str) -> str:
    """Functions that all scripts begin with.

    Args:
        clock: shell command for the board's seconds.
    """
    return _FUNCTIONS.format(clock=clock)


def is_mine(clock: str, folder: str, token: str) -> str:
    """Shell that succeeds if the lease that counts has this token; ``n`` is its number then."""
    return f"{functions(clock)}\ncd {quoted(folder)} 2> /dev/null && top && mine {token}"


def beat(clock: str, folder: str, token: str) -> str:
    """Renews the lease."""
    return f'{is_mine(clock, folder, token)} || {LOST}\nstamp "beat.$n"'


def release(clock: str, folder: str, token: str) -> str:
    """Gives the lease and the place in line back; a new name needs no room on the disk."""
    return (
        f"{leave(clock, folder, token)}\n"
        f'top && mine {token} && {{ mv "beat.$n" "released.$n" || : > "released.$n"; }}'
    )


def leave(clock: str, folder: str, token: str) -> str:
    """Gives the place in line back."""
    return (
        f"{functions(clock)}{_LINE.format(expiry=TICKET_EXPIRY)}"
        f"cd {quoted(folder)} 2> /dev/null || exit 0\n"
        f'line {token}; [ -z "$own" ] || rm -f "ticket.$own"'
    )


def take(clock: str, folder: str, claim: dict[str, str], queue: bool) -> str:
    """Asks for the lease: prints ``got N``, or why not and whose it is.

    Args:
        clock: see :func:`functions`.
        folder: of the leases.
        claim: ``token`` first; what is to be known of who asks.
        queue: whether who asks will ask again, and is to keep its place.
    """
    lines = " ".join(quoted(f"{key}={value}") for key, value in claim.items())
    line = _LINE.format(expiry=TICKET_EXPIRY)
    return (
        functions(clock)
        + line
        + _TAKE.format(
            folder=quoted(folder),
            claim=quoted(f"claim.{claim['token']}"),
            token=claim["token"],
            lines=lines,
            log=_LOG_LINES,
            queue=int(queue),
        )
    )


def whose(clock: str, folder: str, token: str) -> str:
    """Says whose the board is by its status; what shells take for their history is not in it."""
    return (
        f"( {functions(clock)}\ncd {quoted(folder)} 2> /dev/null || "
        f'{{ [ "$(id -u)" = 0 ] && exit 0; exit {UNKNOWN_STATUS}; }}\n'
        'top; [ -n "$n" ] || exit 0; [ -e "released.$n" ] && exit 0\n'
        f"mine {token} && exit {OURS_STATUS}\n"
        f"look; [ $stale = 1 ] || exit {HELD_STATUS} )"
    )


def holder(clock: str, folder: str) -> str:
    """Tells who holds the board; prints nothing if nobody does."""
    return (
        f"{functions(clock)}\ncd {quoted(folder)} 2> /dev/null || exit 0; top\n"
        '[ -z "$n" ] || [ -e "released.$n" ] || tell'
    )
