#!/usr/bin/env bash
# Prints the path of a Chromium or Chrome, installing Debian's where that needs no question
# (root, apt-get). Prints nothing, and says on stderr what is lost, where there is none.
set -uo pipefail

find_it() {
    local name
    for name in "${CHROMIUM:-}" "${BROWSER_PATH:-}" chromium chromium-browser google-chrome \
        google-chrome-stable; do
        # A stub that only points at an app store answers no --version.
        if [ -n "$name" ] && command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
    return 1
}

find_it && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium with apt-get (once) ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    {
        apt-get update -qq &&
            apt-get install -y -qq --no-install-recommends chromium fonts-liberation
    } >/dev/null 2>&1
    find_it && exit
fi
echo "No Chromium found: browser tests are skipped and decks have no pictures. Install chromium or set BROWSER_PATH." >&2
