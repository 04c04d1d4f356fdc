# Builds the bridge and puts nothing but it, the C library and certificates into the image.
#
#   docker build -t puppetgram .
#   docker run --rm -it -v "$PWD:/data" puppetgram init
#   docker run -v "$PWD:/data" -p 29330:29330 puppetgram

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --locked --profile dist --package puppetgram --bin puppetgram

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/dist/puppetgram /usr/local/bin/puppetgram
# Configuration, registration and the SQLite database; the user of this image (65532) must be able to write here.
WORKDIR /data
VOLUME /data
EXPOSE 29330
ENTRYPOINT ["/usr/local/bin/puppetgram"]
CMD ["run", "--config", "/data/config.yaml"]
