# Sourced by the project's scripts: installs what is missing from Debian, configures a build folder and builds in it.
#
# A second call does no needless work: one dpkg-query, one look into CMakeCache.txt, one empty ninja run. All output goes to
# stderr, since stdout belongs to the program that the caller starts. Debian's own tools are called by their full names, as a
# machine may have others in front of them.
# shellcheck shell=bash

lungo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

lungo_fail() {
  echo "$*" >&2
  exit 1
}

# lungo_packages GROUP...: the groups' packages, one a line.
lungo_packages() {
  awk -v wanted=" $* " '/^\[/ { on = index(wanted, " " substr($1, 2, length($1) - 2) " "); next } on && NF && !/^#/ { print $1 }' \
    "$lungo_root/cmake/debian-packages.txt"
}

# lungo_install GROUP...: installs the groups' missing packages, after printing their names.
lungo_install() {
  local wanted installed missing as_root=()
  wanted=$(lungo_packages "$@" | sort -u)
  [[ -x /usr/bin/dpkg-query ]] || lungo_fail "This script needs Debian 12. Elsewhere install the likes of: ${wanted//$'\n'/ }"
  # shellcheck disable=SC2086  # one word a package
  installed=$({ dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || true; } | sed -n 's/^installed //p' | sort -u)
  missing=$(comm -23 <(echo "$wanted") <(echo "$installed"))
  [[ -n $missing ]] || return 0

  echo "Installing from Debian: ${missing//$'\n'/ }" >&2
  if ((EUID != 0)); then
    command -v sudo >/dev/null || lungo_fail "Neither root nor sudo: run 'apt-get install ${missing//$'\n'/ }' as root, then call again."
    as_root=(sudo)
  fi
  export DEBIAN_FRONTEND=noninteractive
  local log
  log=$(mktemp)
  "${as_root[@]}" apt-get -q update >"$log" 2>&1 || echo "apt-get update failed; going on with the lists at hand" >&2
  # shellcheck disable=SC2086
  "${as_root[@]}" apt-get -q -y --no-install-recommends --no-remove install $missing >>"$log" 2>&1 ||
    { tail -n 30 "$log" >&2; lungo_fail "apt-get could not install: ${missing//$'\n'/ } (all it said: $log)"; }
  rm -f "$log"
}

# lungo_build VARIANT TARGET... [-DNAME=VALUE...]: builds the targets in build/VARIANT (release, asan, tsan, fuzz), configured
# with the options where it is not yet. Options that the folder has and the caller does not name stay as they are.
lungo_build() {
  local folder=$lungo_root/build/$1 option name targets=() options=() stale="" compiler=/usr/bin/g++-12
  case $1 in
    release) options=(-DCMAKE_BUILD_TYPE=Release) ;;
    asan) options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-Og -g1" -DLUNGO_SANITIZE=address) ;;
    tsan) options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-Og -g1" -DLUNGO_SANITIZE=thread) ;;
    fuzz)
      compiler=/usr/bin/clang++-16
      options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1" -DLUNGO_SANITIZE=fuzzer) ;;
    *) lungo_fail "lungo_build: no variant '$1'" ;;
  esac
  shift
  for option in "$@"; do
    if [[ $option == -D* ]]; then options+=("$option"); else targets+=("$option"); fi
  done

  mkdir -p "$folder"
  if [[ ! -f $folder/build.ninja ]]; then
    stale=1
    echo "Building ${targets[*]} in ${folder#"$lungo_root/"}; the first time takes some minutes" >&2
    options+=("-DCMAKE_CXX_COMPILER=$compiler" -DCMAKE_MAKE_PROGRAM=/usr/bin/ninja)
    if command -v ccache >/dev/null; then options+=("-DCMAKE_CXX_COMPILER_LAUNCHER=$(command -v ccache)"); fi
  else
    for option in "${options[@]}"; do
      name=${option#-D}
      grep -q "^${name%%=*}:[A-Z]*=${option#*=}\$" "$folder/CMakeCache.txt" || stale=1
    done
  fi
  # ccache finds what another clone of the same sources compiled; it looks for its folder in CCACHE_DIR by itself.
  export CCACHE_BASEDIR=$lungo_root CCACHE_NOHASHDIR=1
  if [[ -n $stale ]]; then
    /usr/bin/cmake -S "$lungo_root" -B "$folder" -G Ninja "${options[@]}" >"$folder/configure.log" 2>&1 ||
      { cat "$folder/configure.log" >&2; lungo_fail "cmake could not configure ${folder#"$lungo_root/"}"; }
  fi
  local ninja=(/usr/bin/ninja -C "$folder")
  if [[ ! -t 2 ]]; then ninja+=(--quiet); fi
  flock "$folder/.lock" "${ninja[@]}" "${targets[@]}" >&2
}
