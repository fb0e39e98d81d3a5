# smsreceipt in a container: docker build -t smsreceipt .
# How it is run, and an example for compose: docs/en/install.md
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
# parquet is left out: it alone takes 150 MB.
ARG EXTRAS=credentials,notify,postgres,regions,xlsx
WORKDIR /src
COPY . .
RUN python -m venv /opt/smsreceipt \
    && /opt/smsreceipt/bin/pip install --no-cache-dir --disable-pip-version-check ".[${EXTRAS}]" \
    && /opt/smsreceipt/bin/smsreceipt --version

FROM python:${PYTHON}-slim
COPY --from=build /opt/smsreceipt /opt/smsreceipt
RUN groupadd --gid 65532 smsreceipt \
    && useradd --uid 65532 --gid 65532 --home-dir /data --no-create-home --shell /usr/sbin/nologin smsreceipt \
    && install --directory --owner=65532 --group=65532 --mode=0700 /data
ENV PATH=/opt/smsreceipt/bin:$PATH \
    HOME=/data \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    SMSRECEIPT_STORE=/data/receipts.db \
    SMSRECEIPT_LISTEN_BIND=0.0.0.0:8080
WORKDIR /data
USER 65532:65532
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Of listen: 503 while the store cannot take receipts. For pull and others name another check, or none.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["smsreceipt"]
# Receipts on standard output are what the log of the container holds: masked.
CMD ["listen", "--mask"]
