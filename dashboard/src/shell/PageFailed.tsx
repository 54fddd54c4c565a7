import { Component, type ReactNode } from "react";

import { ErrorState } from "@/ui/states";

/** After an update of the server, the parts that an open page asks for later are gone. */
function isMissingPart(error: unknown): boolean {
  return error instanceof Error && /dynamically imported module|importing a module script|preload/i.test(error.message);
}

function explain(error: unknown): unknown {
  return isMissingPart(error) ? new Error("The server does not answer, or it was updated since this page was opened.") : error;
}

interface State {
  error: unknown;
}

/** A page that breaks must not take the way to the others with it. */
export class PageFailed extends Component<{ children: ReactNode }, State> {
  override state: State = { error: undefined };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return <ErrorState title={isMissingPart(this.state.error) ? "This page could not be fetched" : "This page broke"} error={explain(this.state.error)} onRetry={() => window.location.reload()} />;
  }
}
