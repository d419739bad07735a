#!/usr/bin/env bash
# nano, from the data to the folder that ships, in one command; stopped anywhere, it goes on from there when run again.
# Everything is made in runs/ of the folder you are in; DATA says where the data lie.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
data=${DATA:-../shared/data}
text=("$data"/text/{flickr30k_captions,books,bbc_summary,dailydialog,imdb,subjqa,sst2,subj,trec,wikiqa,pubmedqa,conala}/train.parquet)

[ -f runs/tokenizer/tokenizer.json ] ||
    mm-memgpt tokenizer --output runs/tokenizer --data "$data/flickr8k/train.parquet" "${text[@]}"

for stage in trunk language captions keys self_critical; do
    [ -f "runs/$stage/report.json" ] && continue # written last
    resume=()
    compgen -G "runs/$stage/checkpoint-*/trainer_state.json" >/dev/null && resume=(--resume)
    mm-memgpt train "$here/$stage.yaml" --set data.root="$data" "${resume[@]}"
done

mkdir -p runs/nano
for file in config.json generation_config.json model.safetensors processor_config.json tokenizer.json tokenizer_config.json; do
    cp "runs/self_critical/$file" runs/nano/
done
mm-memgpt calibrate --model runs/nano --data "$data/flickr8k/val.parquet"
mm-memgpt evaluate captions --model runs/nano --data "$data/flickr8k/val.parquet"
mm-memgpt evaluate retrieval --model runs/nano --data "$data/flickr8k/val.parquet"
