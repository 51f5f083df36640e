#!/bin/bash
# shellcheck disable=SC2086 - the options are several words
exec java $KAFKA_HEAP_OPTS -XX:-UsePerfData -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
  -cp "/opt/kafka/libs/*" kafka.Kafka "$@"
