#!/bin/sh
# What a short provisioning script does, without the network: both tools run it in the image.
set -eu

groupadd --system app
useradd --system --gid app --no-create-home app

mkdir -p /opt/app/bin /opt/app/etc /var/lib/app
for number in 1 2 3 4 5 6 7 8 9 10; do
  printf 'setting_%s = %s\n' "$number" "$((number * number))" >>/opt/app/etc/app.conf
done
printf '#!/bin/sh\nexec sleep infinity\n' >/opt/app/bin/app
chmod 0755 /opt/app/bin/app
chown -R app:app /var/lib/app

tar -C /usr/share -cf /var/lib/app/doc.tar doc
sha256sum /var/lib/app/doc.tar >/var/lib/app/doc.tar.sha256
sed -i 's/^UMASK.*/UMASK 027/' /etc/login.defs
