import { Tabs } from "radix-ui";
import { useState } from "react";

import { PageHeader, PageTitle } from "@/ui/PageTitle";

import { GitProjectForm } from "./GitProjectForm";
import { ImageProjectForm } from "./ImageProjectForm";
import { UploadProjectForm } from "./UploadProjectForm";

const triggerClass =
  "-mb-px border-b-2 border-transparent px-2.5 py-2 font-medium text-faint hover:text-ink focus-visible:-outline-offset-2 data-[state=active]:border-accent data-[state=active]:text-ink";

export default function NewProjectPage() {
  const [tab, setTab] = useState("git");
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>New project</PageTitle>
      <PageHeader crumbs={[{ label: "Projects", to: "/" }]} title="New project" />
      <Tabs.Root value={tab} onValueChange={setTab}>
        <Tabs.List aria-label="Where the files come from" className="flex gap-1 border-b border-line">
          <Tabs.Trigger value="git" className={triggerClass}>
            Git repository
          </Tabs.Trigger>
          <Tabs.Trigger value="upload" className={triggerClass}>
            Upload
          </Tabs.Trigger>
          <Tabs.Trigger value="image" className={triggerClass} data-testid="source-image">
            Image
          </Tabs.Trigger>
        </Tabs.List>
        <Tabs.Content value="git" className="pt-5" tabIndex={-1}>
          <GitProjectForm />
        </Tabs.Content>
        <Tabs.Content value="upload" className="pt-5" tabIndex={-1}>
          <UploadProjectForm />
        </Tabs.Content>
        <Tabs.Content value="image" className="pt-5" tabIndex={-1}>
          <ImageProjectForm />
        </Tabs.Content>
      </Tabs.Root>
    </div>
  );
}
