# Sourced: find_jdk prints the home of a JDK 25 or newer, or fails with a sentence on stderr.

jdk_version() { # major version of the JDK at $1, 0 if there is none
  local version=0
  if [ -x "$1/bin/java" ] && [ -r "$1/release" ]; then
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release")
  fi
  echo "${version:-0}"
}

find_jdk() {
  local home java
  java=$(command -v java || true)
  for home in \
    "${RAIS_JAVA_HOME:-}" "${JAVA_HOME:-}" \
    "${java:+$(dirname "$(dirname "$(readlink -f "$java")")")}" \
    /usr/lib/jvm/* /usr/java/* /opt/java/* /opt/jdk* \
    "${HOME:-}"/.sdkman/candidates/java/* "${HOME:-}"/.jdks/* \
    /Library/Java/JavaVirtualMachines/*/Contents/Home; do
    if [ -n "$home" ] && [ "$(jdk_version "$home")" -ge 25 ]; then
      echo "$home"
      return
    fi
  done
  echo "RAIS needs a JDK 25 or newer: install one (for example Temurin 25) or set JAVA_HOME to it" >&2
  return 1
}
