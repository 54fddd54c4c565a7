#!/bin/bash
# Ollama, and beside it the service that the arguments name. When one of them ends, so does the other, and the machine starts anew.
set -eu

models="${NANOSCALE_DATA_DIR:-/data}/ollama"
mkdir -p "$models"
# Ollama asks nobody who they are: whatever the environment says, only this machine reaches it.
HOME="$models" OLLAMA_MODELS="$models/models" OLLAMA_HOST=127.0.0.1:11434 ollama serve &
ollama=$!
nanoscale "$@" &
service=$!

end() {
  kill -TERM "$ollama" "$service" 2>/dev/null || true
}

# Nobody asked for an end of one alone: then this is a failure.
status=1
trap 'status=0; end' TERM INT
wait -n "$ollama" "$service" || true
end
wait || true
exit "$status"
