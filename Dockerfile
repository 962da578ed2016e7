# The server's image: no compiler, no root, nothing to write to but /tmp.
FROM node:22-bookworm-slim AS pages
WORKDIR /pages/bank_graphql/playground
COPY bank_graphql/playground/package.json bank_graphql/playground/package-lock.json ./
RUN npm ci --no-audit --no-fund
WORKDIR /pages/examples/web
COPY examples/web/package.json examples/web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY bank_graphql/playground /pages/bank_graphql/playground
COPY examples/web ./
COPY schema.graphql /pages/
RUN npm run build && npm run --prefix /pages/bank_graphql/playground build

FROM python:3.13-slim-bookworm AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1
RUN python -m venv --without-pip /opt/bank
COPY constraints.txt constraints-build.txt ./
RUN python -m pip --python /opt/bank/bin/python install --require-hashes -r constraints.txt \
    && python -m pip install --require-hashes -r constraints-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY bank_graphql ./bank_graphql
COPY migrations ./migrations
COPY --from=pages /pages/bank_graphql/playground/dist ./bank_graphql/playground/dist
COPY --from=pages /pages/bank_graphql/playground/app ./bank_graphql/playground/app
RUN python -m hatchling build -t wheel -d /dist \
    && python -m pip --python /opt/bank/bin/python install --no-deps /dist/*.whl
# Compiled at the end, by the contents of the sources and not by their times: the same sources make the same image.
RUN PYTHONHASHSEED=0 /opt/bank/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/bank/lib

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="bank_graphql" \
    org.opencontainers.image.description="A GraphQL banking API on PostgreSQL" \
    org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 bank \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin bank \
    && install -d -o bank -g bank -m 0700 /data
COPY --from=build /opt/bank /opt/bank
ENV PATH=/opt/bank/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 BANK_ENV=production BANK_HOST=0.0.0.0
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["bank-graphql"]
CMD ["serve", "--no-migrate"]
