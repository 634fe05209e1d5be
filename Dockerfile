# One build for every program of the fleet; each is a target: docker build --target order --tag flotilla/order .
#
# Images can come from a mirror: --build-arg RUST_IMAGE=..., --build-arg LIBRARIES_IMAGE=... (Debian 12 both, as a
# program needs the libraries that it was linked with). Programs that were built elsewhere, on Debian 12 too, are
# taken from the folder `programs` of the build's context with --build-arg PROGRAMS=given.
#
# It needs BuildKit, and no frontend that would have to be pulled.
ARG RUST_IMAGE=rust:1.95-bookworm
ARG LIBRARIES_IMAGE=debian:bookworm-slim
ARG PROGRAMS=built

FROM ${RUST_IMAGE} AS toolchain
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake libcurl4-openssl-dev libssl-dev libzstd-dev pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
RUN cargo install --locked cargo-chef@0.1.78 cargo-cyclonedx@0.5.9
WORKDIR /src

# What the fleet depends on, as a file that changes only when a manifest does.
FROM toolchain AS plan
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

# A layer with all dependencies compiled: a change of code uses it again.
FROM toolchain AS dependencies
ARG PROFILE=dist
COPY .cargo .cargo
COPY --from=plan /recipe.json /recipe.json
RUN cargo chef cook --locked --profile "$PROFILE" --recipe-path /recipe.json --bins \
    --package order --package payment --package inventory --package shipping \
    --package fleet --package flotilla --package sandbox

# By name: a build of the workspace switches on what only tests and the benchmark need.
FROM dependencies AS built
ARG PROFILE
COPY . .
RUN cargo build --locked --profile "$PROFILE" --bins \
    --package order --package payment --package inventory --package shipping \
    --package fleet --package flotilla --package sandbox
RUN docker/collect.sh "target/$PROFILE" /programs

FROM scratch AS given
COPY programs /programs

FROM ${PROGRAMS} AS programs

# What a program needs at run time and nothing else: its libraries, the certificates of public authorities, two
# users. Scanners find the packages that the libraries are from in /var/lib/dpkg/status.d.
FROM ${LIBRARIES_IMAGE} AS libraries
RUN ls /etc/ssl/certs/ca-certificates.crt /usr/lib/*/libssl.so.3 /usr/lib/*/libz.so.1 /usr/lib/*/libzstd.so.1 >/dev/null 2>&1 \
    || { apt-get update && apt-get install --yes --no-install-recommends ca-certificates libssl3 libzstd1 zlib1g; }
COPY docker/libraries.sh /libraries.sh
COPY --from=programs /programs /programs
RUN /libraries.sh /rootfs /programs/bin/*

FROM scratch AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
COPY --from=libraries /rootfs /
USER 65532:65532
WORKDIR /
# A container's own addresses; the defaults of the programs are for a machine that is shared.
ENV FLOTILLA_HTTP_ADDRESS=0.0.0.0:8080 \
    FLOTILLA_ADMIN_ADDRESS=0.0.0.0:9090 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
LABEL org.opencontainers.image.vendor="Flotilla" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.documentation="docs/operating.md"

FROM base AS service
EXPOSE 8080 9090

FROM service AS order
COPY --from=programs /programs/sbom/order.cdx.json /sbom.cdx.json
COPY --from=programs /programs/bin/order /order
LABEL org.opencontainers.image.title="order"
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["/order", "ready"]
ENTRYPOINT ["/order"]

FROM service AS payment
COPY --from=programs /programs/sbom/payment.cdx.json /sbom.cdx.json
COPY --from=programs /programs/bin/payment /payment
LABEL org.opencontainers.image.title="payment"
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["/payment", "ready"]
ENTRYPOINT ["/payment"]

FROM service AS inventory
COPY --from=programs /programs/sbom/inventory.cdx.json /sbom.cdx.json
COPY --from=programs /programs/bin/inventory /inventory
LABEL org.opencontainers.image.title="inventory"
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["/inventory", "ready"]
ENTRYPOINT ["/inventory"]

FROM service AS shipping
COPY --from=programs /programs/sbom/shipping.cdx.json /sbom.cdx.json
COPY --from=programs /programs/bin/shipping /shipping
LABEL org.opencontainers.image.title="shipping"
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["/shipping", "ready"]
ENTRYPOINT ["/shipping"]

# All services in one process: the addresses are those of the first, and each further one has the next port.
FROM base AS fleet
EXPOSE 8080-8083 9090-9093
COPY --from=programs /programs/sbom/fleet.cdx.json /sbom.cdx.json
COPY --from=programs /programs/bin/fleet /fleet
LABEL org.opencontainers.image.title="fleet"
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["/fleet", "ready"]
ENTRYPOINT ["/fleet"]

FROM base AS cli
COPY --from=programs /programs/sbom/flotilla.cdx.json /sbom.cdx.json
COPY --from=programs /programs/bin/flotilla /flotilla
LABEL org.opencontainers.image.title="cli"
ENTRYPOINT ["/flotilla"]

FROM base AS sandbox
COPY --from=libraries --chown=65532:65532 /empty /var/lib/sandbox
COPY --from=programs /programs/sbom/sandbox.cdx.json /sbom.cdx.json
COPY --from=programs /programs/bin/sandbox /sandbox
ENV SANDBOX_LISTEN=0.0.0.0:8090 SANDBOX_LEDGER=/var/lib/sandbox/ledger.jsonl
EXPOSE 8090
VOLUME /var/lib/sandbox
LABEL org.opencontainers.image.title="sandbox"
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["/sandbox", "--ready"]
ENTRYPOINT ["/sandbox"]
