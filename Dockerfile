# The operator's image: docker build -t REGISTRY/together-operator .
#
# The Python that the tests run with.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY operator/locks/build.txt operator/locks/run.txt locks/
# Dependencies first: this layer changes only with the locks. Every file is checked against its hash.
RUN python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --require-hashes -r locks/build.txt \
 && python -m venv --without-pip /opt/together-operator \
 && /opt/build/bin/python -m pip --python /opt/together-operator/bin/python \
      install --only-binary :all: --require-hashes -r locks/run.txt
# Only the product: what is for one machine (together_local) is not even in the build context.
COPY pyproject.toml README.md LICENSE ./
COPY operator/together_operator operator/together_operator
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/build/bin/python -m pip --python /opt/together-operator/bin/python \
      install --no-deps --no-index dist/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="together-operator" \
      org.opencontainers.image.description="A Kubernetes operator for Together AI dedicated inference endpoints" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /opt/together-operator /opt/together-operator
# The root file system is read-only in the cluster; /tmp is the one place to write.
ENV PATH=/opt/together-operator/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["together-operator"]
CMD ["run"]
