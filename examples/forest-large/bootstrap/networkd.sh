#!/bin/sh
# Every wired interface gets its address by DHCP.
set -eu
mkdir -p /etc/systemd/network
cat > /etc/systemd/network/20-wired.network << 'END'
[Match]
Name=en*

[Network]
DHCP=yes
END
systemctl enable systemd-networkd
