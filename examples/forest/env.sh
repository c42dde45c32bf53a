export PATH="$PATH:/opt/bin"
