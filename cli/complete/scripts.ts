/** Scripts that let a shell ask `esa __complete`. */

export const BASH = `# bash completion for esa
_esa() {
  local cur out directive line word words=()
  # bash takes --flag=value for three words.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ \${#words[@]} -gt 0 && ( "$word" == "=" || "\${words[-1]}" == --*= ) ]]; then words[-1]+="$word"
    else words+=("$word")
    fi
  done
  cur="\${words[-1]}"
  out="$(esa __complete -- "\${words[@]}" 2>/dev/null)" || return
  directive="\${out##*:}"
  COMPREPLY=()
  while IFS= read -r line; do
    [[ -z "$line" || "$line" == :* ]] && continue
    line="\${line%%$'\\t'*}"
    [[ "$line" == "$cur"* ]] || continue
    [[ "$cur" == --*=* ]] && line="\${line#*=}"
    COMPREPLY+=("$line")
  done <<<"$out"
  if [[ "$directive" == 0 && \${#COMPREPLY[@]} -eq 0 ]]; then
    compopt -o default 2>/dev/null
  elif [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == */ ]]; then
    compopt -o nospace 2>/dev/null
  fi
}
complete -F _esa esa
`;

export const ZSH = `#compdef esa
_esa() {
  local out line directive
  local -a candidates
  out="$(esa __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)" || return
  directive="\${out##*:}"
  for line in "\${(@f)out}"; do
    [[ -z "$line" || "$line" == :* ]] && continue
    line="\${line//:/\\\\:}"
    candidates+=("\${line/$'\\t'/:}")
  done
  if (( \${#candidates} )); then _describe 'esa' candidates
  elif [[ "$directive" == 0 ]]; then _files
  fi
}
compdef _esa esa
`;

export const FISH = `# fish completion for esa
function __esa_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l out (esa __complete -- $words[2..-1] 2>/dev/null)
  for line in $out
    string match -q -r '^:' -- $line; or echo $line
  end
  if test "$out[-1]" = ':0'; and test (count $out) -eq 1
    __fish_complete_path (commandline -ct)
  end
end
complete -c esa -f -a '(__esa_complete)'
`;
