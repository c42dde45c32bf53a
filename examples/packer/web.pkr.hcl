# One AMI from another, with a script and files. The same is in web.json.
packer {
  required_plugins {
    amazon = {
      version = ">= 1.2.8"
      source  = "github.com/hashicorp/amazon"
    }
  }
}

variable "name" {
  type    = string
  default = "web"
}

variable "source_ami" {
  type        = string
  description = "The image to start from."

  validation {
    condition     = can(regex("^ami-", var.source_ami))
    error_message = "The value of source_ami is the id of an image."
  }
}

variable "token" {
  type      = string
  default   = env("WEB_TOKEN")
  sensitive = true
}

locals {
  tags = {
    Name = var.name
    Base = "{{ .SourceAMIName }}"
  }
}

source "amazon-chroot" "web" {
  ami_name        = "${var.name}-1.0"
  ami_description = "Built from {{ .SourceAMI }}"
  source_ami      = var.source_ami
  tags            = local.tags
  ena_support     = true

  post_mount_commands = ["echo mounted > {{ .MountPath }}/etc/mounted"]
}

build {
  sources = ["source.amazon-chroot.web"]

  provisioner "file" {
    source      = "files/motd"
    destination = "/etc/motd"
  }

  provisioner "file" {
    source      = "files/site/"
    destination = "/srv/site"
  }

  provisioner "shell" {
    environment_vars = ["GREETING=it's ${source.name}", "TOKEN=${var.token}"]
    inline = [
      "echo \"$GREETING\" > /etc/greeting",
      "printf %s \"$TOKEN\" | sha256sum > /etc/token.sha256",
      "echo '{{ build `SourceAMI` }} ${build.SourceAMIName}' > /etc/base",
    ]
  }

  provisioner "shell" {
    script           = "scripts/setup.sh"
    execute_command  = "chmod +x {{ .Path }}; {{ .Vars }} nice {{ .Path }} one two"
    valid_exit_codes = [0, 7]
    max_retries      = 1
  }

  provisioner "ansible" {
    playbook_file   = "site.yml"
    extra_arguments = ["--extra-vars", "stage=test"]
  }

  post-processor "manifest" {
    output      = "manifest.json"
    custom_data = {
      base = build.SourceAMIName
    }
  }

  post-processor "shell-local" {
    inline = ["echo built ${source.name} >> built.txt"]
  }
}
