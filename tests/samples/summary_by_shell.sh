#!/bin/sh
# The tracker's summary, made a second time by other means: zcat, awk, sort and uniq, and nothing of the importer's.
#
#   summary_by_shell.sh LOG [LOG...]      plain or .gz
#
# Prints tab-separated lines, each with a name in front:
#   lines N | dropped N | day YYYY-MM-DD HITS | status NNN HITS | page RANK HITS PAGE | visitors N | visitors_on YYYY-MM-DD N
# A line counts when it has an address, a bracketed valid time, a quoted request and a 3-digit status; its page is the target cut
# at the question mark; its visitor is day, address and user agent, as they stand in the line.
set -eu
LC_ALL=C
export LC_ALL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for log in "$@"; do
  case "$log" in
    *.gz) zcat -f "$log" ;;
    *) cat "$log" ;;
  esac
done | awk '
  BEGIN {
    split("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", names, " ")
    for (i = 1; i <= 12; i++) month[names[i]] = i
    split("31 28 31 30 31 30 31 31 30 31 30 31", month_days, " ")
    d = "[0-9]"
    time = d d "/[A-Z][a-z][a-z]/" d d d d ":" d d ":" d d ":" d d " [-+]" d d d d
    request = "\"([^\"\\\\]|\\\\.)*\""
    shape = " \\[" time "\\] *" request " *" d d d "( .*)?$"
  }
  function valid(t,   day, mon, year, last) {
    day = substr(t, 1, 2) + 0; mon = month[substr(t, 4, 3)]; year = substr(t, 8, 4) + 0
    if (mon == 0 || day == 0 || year < 1970) return 0
    last = month_days[mon]
    if (mon == 2 && (year % 4 == 0 && year % 100 != 0 || year % 400 == 0)) last = 29
    if (day > last) return 0
    if (substr(t, 13, 2) > 23 || substr(t, 16, 2) > 59 || substr(t, 19, 2) > 60) return 0
    return substr(t, 23, 2) <= 14 && substr(t, 25, 2) <= 59
  }
  # The inside of the n-th quoted string of s; a missing closing quote means "up to the end".
  function quoted(s, n,   i, from) {
    for (i = 1; i <= n; i++) {
      from = index(s, "\"")
      if (from == 0) return ""
      s = substr(s, from + 1)
      match(s, /^([^"\\]|\\.)*/)
      inside = substr(s, 1, RLENGTH)
      s = substr(s, RLENGTH + 2)
    }
    return inside
  }
  {
    lines++
    sub(/\r$/, "")
    dropped++
    if (length($0) > 65536) next
    space = index($0, " ")
    if (space < 2) next
    address = substr($0, 1, space - 1)
    if (address == "-" || address ~ /[["]/) next
    rest = substr($0, space)
    while (match(rest, shape) && !valid(substr(rest, RSTART + 2, 26))) rest = substr(rest, RSTART + 2)
    if (RSTART == 0) next
    dropped--

    t = substr(rest, RSTART + 2, 26)
    rest = substr(rest, RSTART + 29)
    day = sprintf("%s-%02d-%s", substr(t, 8, 4), month[substr(t, 4, 3)], substr(t, 1, 2))
    asked = quoted(rest, 1)
    behind = substr(rest, index(rest, "\"") + length(asked) + 2)
    sub(/^ */, "", behind)
    words = split(asked, word, / +/)
    first = (word[1] == "" && words > 1) ? 2 : 1
    page = (words > first && word[first + 1] != "") ? word[first + 1] : asked
    sub(/\?.*/, "", page)
    print day > (work "/days")
    print substr(behind, 1, 3) > (work "/statuses")
    print page > (work "/pages")
    print day "\t" address "\t" quoted(behind, 2) > (work "/visitors")
  }
  END { printf "lines\t%d\ndropped\t%d\n", lines, dropped }' work="$work"

for section in days statuses pages visitors; do : >>"$work/$section"; done
sort "$work/days" | uniq -c | awk '{ print "day\t" $2 "\t" $1 }'
sort "$work/statuses" | uniq -c | awk '{ print "status\t" $2 "\t" $1 }'
sort "$work/pages" | uniq -c | sed 's/^ *//' | sort -t ' ' -k1,1nr -k2 | awk 'NR <= 20 { hits = $1; sub(/^[0-9]+ /, ""); print "page\t" NR "\t" hits "\t" $0 }'
sort -u "$work/visitors" >"$work/distinct"
awk 'END { print "visitors\t" NR }' "$work/distinct"
cut -f 1 "$work/distinct" | uniq -c | awk '{ print "visitors_on\t" $2 "\t" $1 }'
