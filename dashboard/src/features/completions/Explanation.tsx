import { CircleCheck } from "lucide-react";
import { useSearchParams } from "react-router";

import { messageOf } from "@/api/error";
import type { CompletionCandidate, CompletionChoice, CompletionExplained } from "@/api/types";
import { formatCredits } from "@/format/credits";
import { plural } from "@/format/quantity";
import { Badge } from "@/ui/Badge";
import { classes } from "@/ui/classes";
import { Dialog } from "@/ui/Dialog";
import { Loading, Notice, Skeleton } from "@/ui/states";

import { CompletionBadge } from "./CompletionBadge";
import { useExplanation } from "./queries";
import { WHY } from "./WhyHere";
import { expectedOf, formatSeconds, placeOf, refusalOf, sortCandidates } from "./words";

const numberClass = "py-2.5 pl-4 text-right whitespace-nowrap tabular-nums";

const partsOf = (candidate: CompletionCandidate) => [
  { label: "Waiting", seconds: candidate.queue_seconds },
  { label: "Loading", seconds: candidate.load_seconds },
  { label: "Prompt", seconds: candidate.prompt_seconds },
  { label: "Answer", seconds: candidate.answer_seconds },
];

function Candidate({ candidate, chosen }: { candidate: CompletionCandidate; chosen: boolean }) {
  const { node_id, refused, cached_tokens } = candidate;
  const parts = partsOf(candidate);
  return (
    <tr data-testid="candidate" data-node={node_id} data-chosen={chosen} className="align-top">
      <th scope="row" className="w-full py-2 text-left font-normal">
        <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className={classes("py-0.5 wrap-anywhere", chosen && "font-medium")}>{placeOf(node_id).label}</span>
          {chosen && (
            <Badge tone="good" icon={CircleCheck}>
              Chosen
            </Badge>
          )}
        </span>
        {cached_tokens > 0 && !refused && <span className="block text-[13px] text-faint">It was expected to remember {plural(cached_tokens, "token")} of the prompt.</span>}
        {!refused && (
          <span className="block text-[13px] text-faint tabular-nums sm:hidden">{parts.map(({ label, seconds }) => `${label.toLowerCase()} ${formatSeconds(seconds)}`).join(" · ")}</span>
        )}
        {refused && <span className="block text-[13px] text-warn sm:hidden">{refusalOf(refused)}</span>}
      </th>
      {refused ? (
        <>
          <td colSpan={5} className="py-2.5 pl-4 text-right text-[13px] text-warn max-sm:hidden">
            {refusalOf(refused)}
          </td>
          <td className={`${numberClass} text-faint sm:hidden`}>–</td>
        </>
      ) : (
        <>
          {parts.map(({ label, seconds }) => (
            <td key={label} className={`${numberClass} text-soft max-sm:hidden`}>
              {formatSeconds(seconds)}
            </td>
          ))}
          <td className={classes(numberClass, "font-medium")}>{formatSeconds(expectedOf(candidate))}</td>
        </>
      )}
    </tr>
  );
}

function Choice({ choice, title }: { choice: CompletionChoice; title?: string }) {
  const headClass = "pb-1.5 pl-4 text-right font-normal whitespace-nowrap";
  return (
    <section data-testid="choice" className="min-w-0">
      {title && <h3 className="mb-2 font-medium">{title}</h3>}
      {!choice.chosen && <p className="mb-2 text-warn">No machine could take it.</p>}
      {choice.candidates.length === 0 ? (
        <p className="text-soft">No machine serves this model.</p>
      ) : (
        <table className="w-full">
          <thead>
            <tr className="border-b border-line text-xs text-faint">
              <th scope="col" className="pb-1.5 text-left font-normal">
                Machine
              </th>
              {["Waiting", "Loading", "Prompt", "Answer"].map((label) => (
                <th key={label} scope="col" className={`${headClass} max-sm:hidden`}>
                  {label}
                </th>
              ))}
              <th scope="col" className={headClass}>
                Expected
              </th>
            </tr>
          </thead>
          <tbody className="divide-y divide-line">
            {sortCandidates(choice).map((candidate) => (
              <Candidate key={candidate.node_id} candidate={candidate} chosen={candidate.node_id === choice.chosen} />
            ))}
          </tbody>
        </table>
      )}
      <p className="mt-1.5 text-[13px] text-faint">The prompt was taken for {plural(choice.prompt_tokens, "token")}.</p>
    </section>
  );
}

function titleOf(choices: readonly CompletionChoice[], index: number): string | undefined {
  if (choices.length < 2) return undefined;
  const before = choices[index - 1];
  if (!before) return "At first";
  return before.chosen ? `Then ${placeOf(before.chosen).name} failed before its first word` : "Then it was tried again";
}

function Explained({ explained: { completion, choices } }: { explained: CompletionExplained }) {
  return (
    <div className="flex flex-col gap-5">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1.5 text-[13px] text-soft">
        <CompletionBadge state={completion.state} />
        <span className="wrap-anywhere">{completion.model}</span>
        <span className="tabular-nums">
          {plural(completion.input_tokens, "token")} in, {completion.output_tokens} out
        </span>
        <span className="tabular-nums">{formatCredits(completion.cost)} credits</span>
        {completion.first_byte_ms != null && <span className="tabular-nums">first byte after {formatSeconds(completion.first_byte_ms / 1000)}</span>}
      </p>
      {choices.length === 0 && <p className="text-soft">No choice was kept for it.</p>}
      {choices.map((choice, index) => (
        <Choice key={index} choice={choice} title={titleOf(choices, index)} />
      ))}
    </div>
  );
}

function Body({ id }: { id: string }) {
  const { data, error } = useExplanation(id);
  if (data) return <Explained explained={data} />;
  if (error) return <Notice tone="bad">{messageOf(error)}</Notice>;
  return (
    <Loading label="Loading the explanation">
      <Skeleton className="h-40" />
    </Loading>
  );
}

/** Why a completion was served where it was: the one that the address names. */
export function Explanation() {
  const [search, setSearch] = useSearchParams();
  const id = search.get(WHY);
  function close() {
    setSearch(
      (before) => {
        before.delete(WHY);
        return before;
      },
      { replace: true, preventScrollReset: true },
    );
  }
  return (
    <Dialog
      open={id !== null}
      onOpenChange={(open) => {
        if (!open) close();
      }}
      wide
      title="Why here?"
      description="What was expected of each machine when one was chosen: the time until the whole answer is there."
    >
      {id !== null && <Body key={id} id={id} />}
    </Dialog>
  );
}
