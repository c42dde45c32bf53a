# An OMI without any source: the disk is parted and formatted by commands on the build host.

variable "bootstrap" {
  type        = string
  default     = "debootstrap --variant=minbase --include=python3 bookworm"
  description = "Makes a root file system in the folder that is its last argument."
}

source "osc-chroot" "bare" {
  omi_name                = "bare"
  from_scratch            = true
  omi_virtualization_type = "hvm"
  omi_boot_modes          = ["legacy"]
  root_volume_size        = 2
  root_volume_type        = "gp2"
  root_device_name        = "/dev/sda1"

  omi_block_device_mappings {
    device_name           = "/dev/sda1"
    delete_on_vm_deletion = true
    volume_type           = "gp2"
  }
  omi_block_device_mappings {
    device_name           = "/dev/xvdb"
    volume_size           = 4
    volume_type           = "io1"
    iops                  = 200
    delete_on_vm_deletion = true
  }

  pre_mount_commands = [
    "parted --script {{.Device}} mklabel msdos mkpart primary ext4 1MiB 100% set 1 boot on",
    "udevadm settle || partx --update {{.Device}}",
    "mkfs.ext4 -q -L root {{.Device}}1",
  ]
  post_mount_commands = [
    "${var.bootstrap} {{.MountPath}}",
    "echo 'LABEL=root / ext4 defaults 0 1' > {{.MountPath}}/etc/fstab",
  ]
}

build {
  sources = ["source.osc-chroot.bare"]

  provisioner "shell" {
    inline = ["echo bare > /etc/made-from"]
  }
}
