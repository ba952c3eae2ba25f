import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import type { WithContext } from '../program.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** A script for the shell, made of the commands that there are. */
export function printCompletion(program: Command, run: WithContext): void {
  program
    .command('completion')
    .description('completion for bash, zsh or fish: source <(carcosa completion bash)')
    .argument('[shell]', 'default: the one that you use')
    .action(
      run(async (context, [given]: [string | undefined]) => {
        const shell = given ?? context.environment.shell.split('/').pop() ?? '';
        const commands = program.commands.map((command) => ({
          name: command.name(),
          says: command.description(),
          words: [...command.commands.map((each) => each.name()), ...flagsOf(command)],
        }));
        const global = flagsOf(program);
        const script = {
          bash: bash(commands, global),
          zsh: `autoload -U +X bashcompinit && bashcompinit\n${bash(commands, global)}`,
          fish: fish(commands, global),
        }[shell as 'bash'];
        if (script === undefined) throw new CommandFailure(`There is completion for ${SHELLS.join(', ')}.`, EXIT.usage);
        context.output.result({ shell, script }, () => script);
      }),
    );
}

interface Completed {
  name: string;
  says: string;
  words: string[];
}

const flagsOf = (command: Command): string[] => command.options.flatMap(({ long }) => (long ? [long] : []));

const bash = (commands: readonly Completed[], global: readonly string[]): string => `_carcosa() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${commands.map(({ name, words }) => `    ${name}) words="${words.join(' ')}" ;;`).join('\n')}
    *) words="${[...commands.map(({ name }) => name), ...global].join(' ')}" ;;
  esac
  [ "$COMP_CWORD" = 1 ] && words="${[...commands.map(({ name }) => name), ...global].join(' ')}"
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  case "$word" in -*) ;; *) [ "$COMP_CWORD" -gt 1 ] && COMPREPLY+=($(compgen -f -- "$word")) ;; esac
}
complete -o filenames -F _carcosa carcosa
`;

const fish = (commands: readonly Completed[], global: readonly string[]): string =>
  [
    ...commands.map(
      ({ name, says }) => `complete -c carcosa -n __fish_use_subcommand -a ${name} -d '${says.replaceAll("'", "\\'")}'`,
    ),
    ...global.map((flag) => `complete -c carcosa -l ${flag.slice(2)}`),
    ...commands.flatMap(({ name, words }) =>
      words.map((word) => {
        const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
        return `complete -c carcosa -n '__fish_seen_subcommand_from ${name}' ${what}`;
      }),
    ),
    '',
  ].join('\n');
