# Builds the bridge; the image that is kept holds the program, certificates and a small Debian.
#
#   docker build -t puppetgram .
#   docker run --rm -it -v "$PWD:/data" puppetgram init
#   docker run -v "$PWD:/data" -p 29330:29330 puppetgram

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --profile dist --locked -p puppetgram

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin puppetgram \
    && install --directory --owner=10001 --group=10001 /data
COPY --from=build /build/target/dist/puppetgram /usr/local/bin/puppetgram
USER 10001:10001
# Configuration, registration and the SQLite database; user 10001 must be able to write here.
WORKDIR /data
VOLUME /data
EXPOSE 29330
ENTRYPOINT ["/usr/local/bin/puppetgram"]
CMD ["run", "--config", "/data/config.yaml"]
