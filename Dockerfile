# The package as a container image (make image). With the name of a handler it is a function of Lambda, with
# `--entrypoint python3 <image> /opt/serve` the API over HTTP. Nothing is run or fetched while it is built.
ARG BASE=public.ecr.aws/lambda/python:3.13
FROM ${BASE}
COPY serve /opt/serve
COPY task /var/task
WORKDIR /var/task
# Lambda has a user of its own and ignores this one, who may write nothing.
USER 65534:65534
CMD ["app.app"]
