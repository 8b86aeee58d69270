"""How Tailrace gets to Azure: templates, capacity, package and image. Nothing here runs in Azure."""

FACE = ()
