# An AMI with resolverd on it: Debian 12, set up by user-data.yaml. README.md says what was tested.
packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.2.0"
    }
  }
}

variable "package" {
  type        = string
  description = "Where the builder finds the package: an https:// address"
}

variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "architecture" {
  type    = string
  default = "amd64"
}

variable "instance_type" {
  type    = string
  default = "t3.small"
}

locals {
  user_data = replace(
    replace(file("${path.root}/user-data.yaml"), "https://packages.example.com/resolverd_amd64.deb", var.package),
  "eu-west-1", var.region)
}

source "amazon-ebs" "debian" {
  region        = var.region
  instance_type = var.instance_type
  ssh_username  = "admin"
  user_data     = local.user_data
  ami_name      = "resolverd-${var.architecture}-${formatdate("YYYYMMDD-hhmm", timestamp())}"

  source_ami_filter {
    most_recent = true
    owners      = ["136693071363"] # Debian's
    filters = {
      name                = "debian-12-${var.architecture}-*"
      virtualization-type = "hvm"
      root-device-type    = "ebs"
    }
  }
}

build {
  sources = ["source.amazon-ebs.debian"]

  provisioner "shell" {
    inline = [
      "cloud-init status --wait",
      "sudo resolverctl status",
      # An image has no cache, no identity and no log of its own.
      "sudo systemctl stop resolverd.service",
      "sudo find /var/lib/resolverd -mindepth 1 -delete",
      "sudo cloud-init clean --logs --machine-id",
    ]
  }
}
