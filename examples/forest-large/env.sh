export PATH="$PATH:/opt/tools/bin"
