# shellcheck shell=bash
# The configuration of a Loki that suits campaigns.

# loki_config ADDRESS PORT GRPC-PORT FOLDER RETENTION-DAYS
loki_config() {
  cat <<YAML
# Made by install-loki-grafana.sh of lb-log, which makes it anew when it runs again.
auth_enabled: false

server:
  http_listen_address: "$1"
  http_listen_port: $2
  # For Loki's own parts: never open to others.
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: $3
  # A page of 5,000 long lines is more than the 4 MiB that are the default.
  grpc_server_max_recv_msg_size: 16777216
  grpc_server_max_send_msg_size: 16777216
  log_level: warn

common:
  instance_addr: 127.0.0.1
  path_prefix: "$4"
  replication_factor: 1
  ring:
    instance_addr: 127.0.0.1
    kvstore:
      store: inmemory
  storage:
    filesystem:
      chunks_directory: "$4/chunks"
      rules_directory: "$4/rules"

schema_config:
  configs:
    - from: "2020-01-01"
      store: tsdb
      object_store: filesystem
      schema: v13
      index:
        prefix: index_
        period: 24h

ingester:
  # Old runs that are pushed late are found at once, not only when they have been flushed.
  query_store_max_look_back_period: 87600h
  lifecycler:
    min_ready_duration: 0s

# Ready in a second instead of ten.
frontend_worker:
  dns_lookup_duration: 500ms
query_scheduler:
  use_scheduler_ring: false

limits_config:
  # A 204 for one stream proves that it was stored only where Loki does not divide streams by itself.
  shard_streams:
    enabled: false
  ingestion_rate_mb: 64
  ingestion_burst_size_mb: 128
  per_stream_rate_limit: 64MB
  per_stream_rate_limit_burst: 128MB
  max_global_streams_per_user: 100000
  # Runs of long ago are welcome.
  reject_old_samples: false
  max_query_length: 0s
  # By days, as the index is, instead of hours: a run's queries take half the time, a look at a year half a second
  # instead of ten.
  split_queries_by_interval: 24h
  retention_period: $(($5 * 24))h

# Deletes what is older than retention_period; 0h keeps everything.
compactor:
  working_directory: "$4/compactor"
  retention_enabled: true
  delete_request_store: filesystem

pattern_ingester:
  enabled: false
analytics:
  reporting_enabled: false
YAML
}
