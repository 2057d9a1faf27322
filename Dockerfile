# The workflow with its environment:  docker build --tag pfamformer .
#   docker run --rm --volume "$PWD/results:/pfamformer/results" pfamformer --cores 2
# Apptainer:  apptainer build pfamformer.sif docker-daemon:pfamformer:latest
FROM python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bash make procps \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /pfamformer
COPY pyproject.toml Makefile ./
COPY workflow/setup_venv.sh workflow/
# The environment first: a change of the workflow does not install it again.
RUN make setup
COPY . .
ENV PATH="/pfamformer/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["snakemake"]
CMD ["--cores", "all"]
