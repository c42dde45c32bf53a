data "amazon-ami" "debian" {
  filters = {
    name = "debian-12-*"
  }
  owners      = ["136693071363"]
  most_recent = true
}

source "amazon-chroot" "web" {
  ami_name      = "web-${formatdate("YYYYMMDDhhmmss", timestamp())}"
  source_ami    = data.amazon-ami.debian.id
  chroot_mounts = [for type, target in var.mappings : [type, type, target]]
  copy_files    = []

  dynamic "tag" {
    for_each = merge(local.tags, { Role = "web" })
    content {
      key   = tag.key
      value = tag.value
    }
  }
}

source "amazon-chroot" "db" {
  ami_name                = "database"
  from_scratch            = true
  ami_virtualization_type = "hvm"
  root_device_name        = "/dev/xvda"
  root_volume_size        = 4
  tags                    = merge(local.tags, { Role = "db" })

  pre_mount_commands = [
    "mkfs.ext4 -q {{ .Device }}",
    "mount {{ .Device }} /mnt && mmdebstrap bookworm /mnt && umount /mnt",
  ]

  ami_block_device_mappings {
    device_name           = "/dev/xvda"
    delete_on_termination = true
    volume_type           = "gp3"
  }
}
