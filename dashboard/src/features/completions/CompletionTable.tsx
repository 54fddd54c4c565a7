import type { ReactNode } from "react";

import type { Completion } from "@/api/types";
import { formatCredits } from "@/format/credits";
import { RelativeTime } from "@/ui/RelativeTime";
import { useWide } from "@/ui/use-wide";

import { CompletionBadge } from "./CompletionBadge";
import { WhyHere } from "./WhyHere";
import { placeOf } from "./words";

const numberClass = "py-2.5 pl-4 text-right whitespace-nowrap tabular-nums";

function Row({ completion }: { completion: Completion }) {
  const { id, model, node_id, state, input_tokens, output_tokens, cost, created_at, first_byte_ms } = completion;
  return (
    <tr data-testid="completion" data-id={id} className="text-[13px]">
      <td className="py-2.5 whitespace-nowrap text-faint">
        <RelativeTime at={created_at} />
      </td>
      <td className="py-2.5 pl-4 wrap-anywhere">{model}</td>
      <td className="py-2.5 pl-4 wrap-anywhere text-soft">{node_id ? placeOf(node_id).label : "–"}</td>
      <td className={numberClass}>{input_tokens.toLocaleString("en-US")}</td>
      <td className={numberClass}>{output_tokens.toLocaleString("en-US")}</td>
      <td className={`${numberClass} font-medium`}>{formatCredits(cost)}</td>
      <td className={`${numberClass} text-soft`}>{first_byte_ms != null ? `${first_byte_ms.toLocaleString("en-US")} ms` : "–"}</td>
      <td className="py-2 pl-4">
        <CompletionBadge state={state} />
      </td>
      <td className="py-2.5 pl-4 text-right">
        <WhyHere id={id} />
      </td>
    </tr>
  );
}

function Head({ children, right }: { children: ReactNode; right?: boolean }) {
  return (
    <th scope="col" className={`pb-1.5 font-normal whitespace-nowrap not-first:pl-4 ${right ? "text-right" : "text-left"}`}>
      {children}
    </th>
  );
}

function Table({ completions }: { completions: Completion[] }) {
  return (
    <table className="-mb-2 w-full">
      <thead>
        <tr className="border-b border-line text-xs text-faint">
          <Head>Time</Head>
          <Head>Model</Head>
          <Head>Machine</Head>
          <Head right>Tokens in</Head>
          <Head right>Tokens out</Head>
          <Head right>Cost</Head>
          <Head right>First byte</Head>
          <Head>State</Head>
          <Head right>
            <span className="sr-only">Why here</span>
          </Head>
        </tr>
      </thead>
      <tbody className="divide-y divide-line">
        {completions.map((completion) => (
          <Row key={completion.id} completion={completion} />
        ))}
      </tbody>
    </table>
  );
}

/** The same where there is no room for columns. */
function List({ completions }: { completions: Completion[] }) {
  return (
    <ul className="-my-3 divide-y divide-line">
      {completions.map(({ id, model, node_id, state, input_tokens, output_tokens, cost, created_at, first_byte_ms }) => (
        <li key={id} data-testid="completion" data-id={id} className="flex flex-col gap-1 py-3">
          <div className="flex items-start justify-between gap-3">
            <p className="min-w-0 font-medium wrap-anywhere">{model}</p>
            <CompletionBadge state={state} />
          </div>
          <p className="text-[13px] text-soft tabular-nums">
            {input_tokens.toLocaleString("en-US")} tokens in, {output_tokens.toLocaleString("en-US")} out · {formatCredits(cost)} credits
            {first_byte_ms != null && ` · first byte ${first_byte_ms.toLocaleString("en-US")} ms`}
          </p>
          <p className="flex flex-wrap justify-between gap-x-3 text-[13px] text-faint">
            <span className="min-w-0 wrap-anywhere">
              <RelativeTime at={created_at} />
              {node_id && placeOf(node_id).behind}
            </span>
            <WhyHere id={id} />
          </p>
        </li>
      ))}
    </ul>
  );
}

export function CompletionTable({ completions }: { completions: Completion[] }) {
  return useWide() ? <Table completions={completions} /> : <List completions={completions} />;
}
