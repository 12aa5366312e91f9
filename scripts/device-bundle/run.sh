#!/bin/sh
# Facet on this machine's GPU, without a network:
#   ./run.sh conformance                         how far WebGPU agrees with the reference and with HF (about 5 minutes)
#   ./run.sh bench --synthetic 270m              speed of a model's real shapes with random weights: 270m, 1b, 4b, 12b, 27b
#   ./run.sh bench --synthetic 4b --bandwidth-gbs 3350      also as a share of what the card's memory can do
#   ./run.sh conformance --backend cuda          the same with CUDA, which needs no Vulkan
#   ./run.sh bench --backend cuda --synthetic 270m          the card's bandwidth is known here
# Further options are those of scripts/conformance.ts and bench/bench.ts. Each prints a table to paste.
# Needs Linux x64 with glibc 2.34 and libstdc++ of GCC 12 (Ubuntu 22.04, Debian 12 or newer) and a Vulkan driver; for CUDA a driver of 470 or later.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
app=$here/app

if [ ! -d "$app" ]; then
  echo "facet: unpacking, once" >&2
  rm -rf "$app.part" && mkdir "$app.part"
  if command -v xz >/dev/null; then xz -dc "$here/app.tar.xz"; else LD_LIBRARY_PATH=$here/xz "$here/xz/xz" -dc "$here/app.tar.xz"; fi | tar -xf - -C "$app.part"
  mv "$app.part" "$app"
fi

libraries="/usr/lib/x86_64-linux-gnu /lib/x86_64-linux-gnu /usr/lib64 /usr/lib /usr/local/nvidia/lib64 /usr/local/lib"
has_library() {
  for folder in $libraries $(echo "${LD_LIBRARY_PATH:-}" | tr : ' '); do [ -e "$folder/$1" ] && return 0; done
  return 1
}

prepare_vulkan() {
  if ! has_library libvulkan.so.1; then
    echo "facet: this machine has no Vulkan loader (libvulkan.so.1); taking the bundle's" >&2
    LD_LIBRARY_PATH=$app/vulkan${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
  fi

  if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]; then
    found=
    for folder in /etc/vulkan/icd.d /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d; do
      for file in "$folder"/nvidia_icd*.json; do [ -e "$file" ] && found=$file; done
    done
    if [ -z "$found" ]; then
      # The driver's library says all that the file would. The one for EGL does without X11.
      for library in libEGL_nvidia.so.0 libGLX_nvidia.so.0; do
        has_library $library || continue
        found=$app/vulkan/nvidia_icd.json
        printf '{ "file_format_version": "1.0.0", "ICD": { "library_path": "%s", "api_version": "1.3.0" } }\n' $library >"$found"
        echo "facet: the driver is here without its nvidia_icd.json; taking one that names $library" >&2
        break
      done
    fi
    if [ -n "$found" ]; then
      export VK_DRIVER_FILES="$found"
    elif [ -e /dev/nvidiactl ] || command -v nvidia-smi >/dev/null; then
      echo "facet: there is an NVIDIA card, but neither nvidia_icd.json nor the library it names (libGLX_nvidia.so.0): the Vulkan part of the driver" >&2
      echo "  is missing. In a container start it with NVIDIA_DRIVER_CAPABILITIES=all (graphics is the part that is wanted);" >&2
      echo "  on the machine itself install the driver's libraries (Ubuntu: libnvidia-gl-<version>; Debian: nvidia-vulkan-icd)." >&2
    else
      echo "facet: no NVIDIA driver for Vulkan (nvidia_icd.json) here; whatever other driver the Vulkan loader finds is taken" >&2
    fi
  fi
}

# CUDA needs none of it.
case " $* " in *" --backend cuda "* | *" --backend=cuda "*) ;; *) prepare_vulkan ;; esac

if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.memory,power.limit --format=csv,noheader || true
fi

command=${1:-help}
[ $# -gt 0 ] && shift
cd "$app"
case $command in
  conformance)
    case " $* " in *" --subject"* | *" --backend"*) ;; *) set -- --subject "webgpu exact" --subject "webgpu fast" "$@" ;; esac
    exec bin/node --conditions=@facetjs/source scripts/conformance.ts "$@"
    ;;
  bench) exec bin/node --conditions=@facetjs/source bench/bench.ts "$@" ;;
  *) sed -n '2,10s/^# //p' "$here/run.sh"; exit 1 ;;
esac
