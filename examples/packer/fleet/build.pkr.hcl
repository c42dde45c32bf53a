build {
  name    = "fleet"
  sources = ["source.amazon-chroot.web", "source.amazon-chroot.db"]

  provisioner "shell" {
    inline = ["echo ${source.name} > /etc/role"]
  }

  provisioner "shell" {
    only   = ["amazon-chroot.web"]
    inline = ["echo listen > /etc/web"]
  }
}
